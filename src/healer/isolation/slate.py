"""Memory that two processes share: a file goes one way, its pixels the other."""

from __future__ import annotations

import os
import sys
import tempfile

import numpy as np
from numpy.typing import NDArray

from healer.isolation.limits import CHANNELS


class Slate:
    """An open file without a name, kept in memory where the system can."""

    def __init__(self, handle: int) -> None:
        self.handle = handle

    @classmethod
    def new(cls) -> Slate:
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
        return self._filled(np.empty(size, np.uint8)).tobytes()

    def pixels(self, height: int, width: int) -> NDArray[np.uint8]:
        """RGB, uint8, shape (height, width, 3). Raises EOFError where there are too few."""
        return self._filled(np.empty((height, width, CHANNELS), np.uint8))

    def wipe(self) -> None:
        os.ftruncate(self.handle, 0)

    def close(self) -> None:
        os.close(self.handle)

    def _filled(self, array: NDArray[np.uint8]) -> NDArray[np.uint8]:
        view = array.data.cast("B")
        done = 0
        while done < len(view):
            count = os.preadv(self.handle, [view[done:]], done)
            if not count:
                raise EOFError
            done += count
        return array
