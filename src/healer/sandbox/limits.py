"""Memory, time and files that a decoder process may use."""

from __future__ import annotations

import resource
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

# Address space: the interpreter with its libraries, a file and its copies, and a picture while it
# is decoded, converted and turned. `python -m benchmarks.isolation memory` measures what legal
# pictures take: 113 MB, and up to 19 bytes a pixel.
BASE_BYTES = 192 * 1024 * 1024
FILE_COPIES = 3
BYTES_A_PIXEL = 20
CHANNELS = 3
OPEN_FILES = 32
# A process whose service was killed while it decodes ends by itself, this long past its time.
ORPHAN_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Limits:
    """`seconds` of wall-clock time for one image; `share_bytes` caps its memory where given."""

    max_pixels: int
    max_bytes: int
    seconds: float
    share_bytes: int | None = None

    @property
    def memory_bytes(self) -> int:
        needed = BASE_BYTES + FILE_COPIES * self.max_bytes + BYTES_A_PIXEL * self.max_pixels
        return needed if self.share_bytes is None else min(needed, BASE_BYTES + self.share_bytes)

    @property
    def time_reason(self) -> str:
        return f"took more than {self.seconds:g} s (an operator may raise HEALER_DECODE_SECONDS)"

    @property
    def memory_reason(self) -> str:
        return f"took more than {self.memory_bytes // 1024**2:,} MB of memory"

    def apply(self) -> None:
        """Limit the calling process, for good. macOS does not limit a process's memory."""
        if sys.platform == "linux":
            _set_limit(resource.RLIMIT_AS, self.memory_bytes)
        _set_limit(resource.RLIMIT_FSIZE, CHANNELS * self.max_pixels)
        _set_limit(resource.RLIMIT_NOFILE, OPEN_FILES)
        _set_limit(resource.RLIMIT_CORE, 0)

    @contextmanager
    def timed(self) -> Iterator[None]:
        """The kernel ends the process where this takes too long, even inside a C library."""
        signal.setitimer(signal.ITIMER_REAL, self.seconds + ORPHAN_SECONDS)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)


def _set_limit(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    limit = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (limit, limit))
