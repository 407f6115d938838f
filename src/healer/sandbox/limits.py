"""What a process that reads pictures may take."""

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
# A process whose service was killed in mid-picture ends by itself, this long after its time.
ORPHAN_SECONDS = 2.0


@dataclass(frozen=True, slots=True)
class Limits:
    """`seconds` are for one picture, on the clock; `share_bytes` is all the memory there is."""

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

    def bind(self) -> None:
        """Bind the calling process, for good. macOS does not bind a process's memory."""
        if sys.platform == "linux":
            _bind(resource.RLIMIT_AS, self.memory_bytes)
        _bind(resource.RLIMIT_FSIZE, CHANNELS * self.max_pixels)
        _bind(resource.RLIMIT_NOFILE, OPEN_FILES)
        _bind(resource.RLIMIT_CORE, 0)

    @contextmanager
    def timed(self) -> Iterator[None]:
        """The kernel ends the process where this takes too long, even inside a C library."""
        signal.setitimer(signal.ITIMER_REAL, self.seconds + ORPHAN_SECONDS)
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)


def _bind(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (bound, bound))
