"""Attention in 16-bit integers, by code of our own (attention.c), where it is faster.

It is compiled when Healer is installed, if there is a C compiler, and everything works without it.
"""

from __future__ import annotations

import ctypes
from functools import cache
from pathlib import Path
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from healer.processor import processor

Floats = NDArray[np.float32]
LIBRARY = Path(__file__).with_name("libattention.so")
ALIGNED = 64  # bytes
POINTER, LONG, INT = ctypes.c_void_p, ctypes.c_long, ctypes.c_int


def why_not() -> str | None:
    """Why OpenVINO's own attention is used on this machine; None where ours is."""
    if not LIBRARY.exists():
        return "it was not compiled when Healer was installed (that takes Linux, x86-64 and gcc)"
    loaded = _library(LIBRARY)
    if loaded is None:
        return "what was compiled cannot be loaded here: install Healer again on this machine"
    if not loaded.healer_attention_usable():
        return "this processor has no AVX-512 VNNI"
    if "amx_bf16" in processor()[1]:
        return "this processor multiplies bfloat16 faster (AMX)"
    return None


class Attention:
    """softmax(q kᵀ / √width) v for each head, without a mask, as rounded as 13 bits are.

    `threads` is how many cores to use. The result does not depend on it.
    """

    def __init__(self, threads: int = 1) -> None:
        """Only where why_not() is None."""
        library = _library(LIBRARY)
        assert library is not None  # noqa: S101
        self.threads = threads
        self._library = library
        self._scratch = np.empty(0, np.uint8)
        self._lock = Lock()

    def can(self, tokens: int, heads: int, width: int) -> bool:
        return bool(self._library.healer_attention_scratch(tokens, heads, width))

    def __call__(self, q: Floats, k: Floats, v: Floats, heads: int, out: Floats) -> None:
        """All (batch, tokens, heads * width), contiguous; of a shape that it can do."""
        batch, tokens, channels = q.shape
        shape = (tokens, heads, channels // heads)
        with self._lock:
            scratch = self._room(self._library.healer_attention_scratch(*shape))
            for index in range(batch):
                rows = [_address(x[index]) for x in (q, k, v, out)]
                self._library.healer_attention(*rows, scratch, *shape, self.threads)

    def _room(self, size: int) -> int:
        """Where `size` bytes are free: kept, as fresh memory costs the system's time."""
        if self._scratch.size < size + ALIGNED:
            self._scratch = np.empty(size + ALIGNED, np.uint8)
        return -(-_address(self._scratch) // ALIGNED) * ALIGNED


def _address(array: NDArray[np.generic]) -> int:
    return int(array.ctypes.data)


@cache
def _library(file: Path) -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL(str(file))
    except OSError:
        return None
    library.healer_attention_usable.restype = INT
    library.healer_attention_scratch.argtypes = [LONG, INT, INT]
    library.healer_attention_scratch.restype = LONG
    library.healer_attention.argtypes = [*[POINTER] * 5, LONG, INT, INT, INT]
    library.healer_attention.restype = None
    return library
