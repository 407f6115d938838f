"""The measures of `texture.py` in C, where that was compiled when Healer was installed."""

from __future__ import annotations

import ctypes
import threading
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from healer.quality.texture import BLOCK, MEASURES, Texture, measure_plainly

LIBRARY = Path(__file__).with_name("libtexture.so")
KEPT = 2**21  # floats of a thread's room that it keeps: those of all but the longest views


class Room(threading.local):
    """What the calling thread works in: fresh memory would cost more of the system's time than
    half the measures."""

    def __init__(self) -> None:
        self._floats = np.empty(0, np.float32)

    def of(self, size: int) -> NDArray[np.float32]:
        if size > KEPT:
            return np.empty(size, np.float32)
        if self._floats.size < size:
            self._floats = np.empty(size, np.float32)
        return self._floats


ROOM = Room()


def measure(view: NDArray[np.uint8]) -> Texture:
    """Of a view at least 32 pixels on each side: in C, or in NumPy where there is none."""
    library = _open(LIBRARY)
    return measure_plainly(view) if library is None else _measured(library, view)


@cache
def _open(file: Path) -> ctypes.CDLL | None:
    """None where it was not compiled, or for another system or an earlier Healer."""
    try:
        found = ctypes.CDLL(str(file))
        found.healer_texture_work.argtypes = [ctypes.c_long] * 2
        found.healer_texture_work.restype = ctypes.c_long
        found.healer_texture_floats.argtypes = []
        found.healer_texture_floats.restype = ctypes.c_long
        pointer = ctypes.c_void_p
        found.healer_texture.argtypes = [pointer, *[ctypes.c_long] * 2, *[pointer] * 4]
        found.healer_texture.restype = None
    except (OSError, AttributeError):
        return None
    return found if 4 * found.healer_texture_floats() == MEASURES.itemsize else None


def _measured(library: ctypes.CDLL, view: NDArray[np.uint8]) -> Texture:
    view = np.ascontiguousarray(view, np.uint8)
    rows, columns = view.shape[:2]
    down, right = rows // 2, columns // 2
    sample = np.empty((3, (down + 1) // 2, (right + 1) // 2), np.float32)
    blocks = np.empty((3, (down - 2) // BLOCK, (right - 2) // BLOCK), np.float32)
    found = np.empty((), MEASURES)
    room = ROOM.of(library.healer_texture_work(rows, columns))
    written = (each.ctypes.data for each in (sample, blocks, room, found))
    library.healer_texture(view.ctypes.data, rows, columns, *written)
    return Texture(rows, columns, sample, blocks, found)
