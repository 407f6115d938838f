"""Code of our own in C (attention.c, decoder.c, products.c), where it is faster than OpenVINO's.

It is compiled when Healer is installed, if there is a C compiler, and everything works without it.
"""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

LIBRARY = Path(__file__).with_name("libkernels.so")
ALIGNED = 64  # bytes
POINTER, LONG, INT = ctypes.c_void_p, ctypes.c_long, ctypes.c_int


def library() -> ctypes.CDLL | None:
    """None where it was not compiled, or for another system."""
    return _open(LIBRARY)


@cache
def _open(file: Path) -> ctypes.CDLL | None:
    try:
        found = ctypes.CDLL(str(file))
        _declare(found)
    except (OSError, AttributeError):  # of another system, or of an earlier Healer
        return None
    return found


def _declare(found: ctypes.CDLL) -> None:
    found.healer_attention_runs.argtypes = [INT]
    found.healer_attention_runs.restype = INT
    found.healer_attention_scratch.argtypes = [INT, LONG, INT, INT]
    found.healer_attention_scratch.restype = LONG
    found.healer_attention.argtypes = [INT, *[POINTER] * 5, LONG, INT, INT, INT]
    found.healer_attention.restype = None
    found.healer_products_run.argtypes = [INT]
    found.healer_products_run.restype = INT
    found.healer_products_scratch.argtypes = [LONG, LONG, INT, INT]
    found.healer_products_scratch.restype = LONG
    found.healer_products.argtypes = [POINTER, LONG, POINTER, POINTER, INT, POINTER, *[INT] * 4]
    found.healer_products.restype = None
    found.healer_decode_scratch.argtypes = [POINTER, LONG]
    found.healer_decode_scratch.restype = LONG
    found.healer_decode.argtypes = [POINTER, LONG, LONG, POINTER, POINTER, INT]
    found.healer_decode.restype = None


class Scratch:
    """Bytes to work in, for one at a time: reused, as fresh memory costs the system's time."""

    def __init__(self) -> None:
        self.lock = Lock()
        self._bytes = np.empty(0, np.uint8)

    def of(self, size: int) -> int:
        """Where `size` of them are, aligned; what was in them is lost where they must grow."""
        if self._bytes.size < size + ALIGNED:
            self._bytes = np.empty(size + ALIGNED, np.uint8)
        return -(-address(self._bytes) // ALIGNED) * ALIGNED


def address(array: NDArray[np.generic]) -> int:
    return int(array.ctypes.data)
