"""What service and decoder process share: limits, messages, and a buffer for bytes and pixels.

Messages are JSON, so that a hijacked decoder cannot run code in the service.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from healer import errors
from healer.quality.gate import GateReport

if TYPE_CHECKING:
    from healer.settings.model import GateMode


# Address space: the interpreter with its libraries, a file and its copies, and a picture while it
# is decoded, converted and turned. `python -m benchmarks.isolation memory` measures what legal
# pictures take: 113 MB, and up to 19 bytes a pixel.
BASE_BYTES = 192 * 1024 * 1024
FILE_COPIES = 3
BYTES_A_PIXEL = 20
CHANNELS = 3
OPEN_FILES = 32
CLOCK_FACTOR = 3
READY = b"ready"  # a decoder's first message


@dataclass(frozen=True, slots=True)
class Limits:
    """`seconds` of processor time for one image, so that a good one is not refused because the
    machine is busy; `share_bytes` caps its memory where given; `open_files` is one more than the
    highest descriptor that it may use."""

    max_pixels: int
    max_bytes: int
    seconds: float
    share_bytes: int | None = None
    open_files: int = OPEN_FILES

    @property
    def memory_bytes(self) -> int:
        needed = BASE_BYTES + FILE_COPIES * self.max_bytes + BYTES_A_PIXEL * self.max_pixels
        return needed if self.share_bytes is None else min(needed, BASE_BYTES + self.share_bytes)

    @property
    def clock_seconds(self) -> float:
        """The most that may pass on the clock, whatever the process did meanwhile."""
        return CLOCK_FACTOR * self.seconds

    @property
    def time_reason(self) -> str:
        return f"took more than {self.seconds:g} s (an operator may raise HEALER_DECODE_SECONDS)"

    @property
    def clock_reason(self) -> str:
        return f"was not done within {self.clock_seconds:g} s on a machine busy with other work"

    @property
    def memory_reason(self) -> str:
        return f"took more than {self.memory_bytes // 1024**2:,} MB of memory"


@dataclass(frozen=True, slots=True)
class LoadRequest:
    """The buffer holds `size` bytes of a file; `page` is the one to read of several."""

    size: int
    mode: GateMode
    page: int | None = None


@dataclass(frozen=True, slots=True)
class LoadedImage:
    """The buffer holds the pixels. The rest is as in LoadedTile."""

    height: int
    width: int
    mpp: float | None
    gate: GateReport | None
    timings: dict[str, float]
    page: int | None = None
    levels: int = 0


@dataclass(frozen=True, slots=True)
class ImageRefused:
    """A RequestError: its class, and its fields."""

    kind: str
    fields: dict[str, Any]

    @classmethod
    def of(cls, error: errors.RequestError) -> ImageRefused:
        return cls(type(error).__name__, error.fields())

    def error(self) -> errors.RequestError:
        kind: type[errors.RequestError] = getattr(errors, self.kind)
        if not issubclass(kind, errors.RequestError):
            raise TypeError(self.kind)
        fields = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in self.fields.items()
        }
        return kind(**fields)


@dataclass(frozen=True, slots=True)
class LoaderFailed:
    """A bug of ours; or a system error with its `errno`, as where file descriptors run out."""

    trace: str
    errno: int | None = None


LoadReply = LoadedImage | ImageRefused | LoaderFailed


def encode_message(message: LoadRequest | LoadReply) -> bytes:
    return json.dumps(asdict(message)).encode()


class SharedBuffer:
    """An open file without a name, in memory where the system can."""

    def __init__(self, handle: int) -> None:
        self.handle = handle

    @classmethod
    def new(cls) -> SharedBuffer:
        if sys.platform == "linux":
            return cls(os.memfd_create("healer"))
        with tempfile.TemporaryFile() as file:
            return cls(os.dup(file.fileno()))

    def write(self, content: bytes | memoryview) -> None:
        view = memoryview(content).cast("B")
        written = 0
        while written < len(view):
            written += os.pwrite(self.handle, view[written:], written)

    def read(self, size: int) -> bytes:
        return self._read_into(np.empty(size, np.uint8)).tobytes()

    def pixels(self, height: int, width: int) -> NDArray[np.uint8]:
        """RGB, uint8, shape (height, width, 3). Raises EOFError where there are too few."""
        return self._read_into(np.empty((height, width, CHANNELS), np.uint8))

    def wipe(self) -> None:
        os.ftruncate(self.handle, 0)

    def close(self) -> None:
        os.close(self.handle)

    def _read_into(self, array: NDArray[np.uint8]) -> NDArray[np.uint8]:
        view = array.data.cast("B")
        done = 0
        while done < len(view):
            count = os.preadv(self.handle, [view[done:]], done)
            if not count:
                raise EOFError
            done += count
        return array
