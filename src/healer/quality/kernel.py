"""The measures of texture.py and stains.py in C, where there was a compiler at installation."""

from __future__ import annotations

import ctypes
import threading
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from healer.quality.planes import Floats
from healer.quality.stains import COLOURS, CUBE, DENSITY_OF, Colours, measure_colours_plainly
from healer.quality.texture import BLOCK, MEASURES, Texture, measure_texture_plainly

LIBRARY = Path(__file__).with_name("libgate.so")
POINTER, LONG, FLOAT = ctypes.c_void_p, ctypes.c_long, 4
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


def measure_texture(view: NDArray[np.uint8]) -> Texture:
    """Of a view at least 32 pixels on each side: in C, or in NumPy where there is none."""
    library = _open(LIBRARY)
    return measure_texture_plainly(view) if library is None else _texture(library, view)


def measure_colours(sample: Floats) -> Colours:
    """Of a picture (3, rows, columns) whose values are multiples of a quarter below 256, as halving
    makes them."""
    library = _open(LIBRARY)
    return measure_colours_plainly(sample) if library is None else _colours(library, sample)


@cache
def _open(file: Path) -> ctypes.CDLL | None:
    """None where it was not compiled, or for another system or Healer."""
    try:
        found = ctypes.CDLL(str(file))
        _declare(found)
    except (OSError, AttributeError):
        return None
    floats = (found.healer_measures(), found.healer_colours())
    ours = (MEASURES.itemsize // FLOAT, COLOURS.itemsize // FLOAT)
    return found if floats == ours else None


def _declare(found: ctypes.CDLL) -> None:
    for name in ("healer_measures", "healer_colours"):
        getattr(found, name).argtypes = []
        getattr(found, name).restype = LONG
    found.healer_texture_work.argtypes = [LONG, LONG]
    found.healer_texture_work.restype = LONG
    found.healer_texture.argtypes = [POINTER, LONG, LONG, *[POINTER] * 4]
    found.healer_texture.restype = None
    found.healer_colour.argtypes = [POINTER, LONG, *[POINTER] * 4]
    found.healer_colour.restype = None


def _texture(library: ctypes.CDLL, view: NDArray[np.uint8]) -> Texture:
    view = np.ascontiguousarray(view, np.uint8)
    rows, columns = view.shape[:2]
    down, right = rows // 2, columns // 2
    sample = np.empty((3, (down + 1) // 2, (right + 1) // 2), np.float32)
    blocks = np.empty((3, (down - 2) // BLOCK, (right - 2) // BLOCK), np.float32)
    found = np.empty((), MEASURES)
    room = ROOM.of(library.healer_texture_work(rows, columns))
    written = map(address, (sample, blocks, room, found))
    library.healer_texture(address(view), rows, columns, *written)
    return Texture(rows, columns, sample, blocks, found)


def _colours(library: ctypes.CDLL, sample: Floats) -> Colours:
    planes = np.ascontiguousarray(sample, np.float32)
    pixels = planes[0].size
    arrays = np.empty((16, pixels), np.float32)
    cube = np.empty(CUBE, np.int32)
    found = np.empty((), COLOURS)
    given = map(address, (DENSITY_OF, arrays, cube, found))
    library.healer_colour(address(planes), pixels, *given)
    share, x, y, saturation = (arrays[at : at + 2] for at in (6, 8, 10, 12))
    return Colours(arrays[:6].reshape(2, 3, pixels), share, x, y, saturation, cube, found)


def address(array: NDArray[np.generic]) -> int:
    return int(array.ctypes.data)
