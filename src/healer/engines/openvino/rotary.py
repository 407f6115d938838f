"""Rotary angles of positions, by a layer's kind: RoPE (Su et al. 2021) as Gemma 3 has it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from healer.engines.openvino.conversion_record import Attention, Kind

Floats = NDArray[np.float32]


class Rotary:
    def __init__(self, attention: Attention) -> None:
        self._frequencies = frequencies(attention)

    def turns(self, start: int, count: int) -> dict[Kind, tuple[Floats, Floats]]:
        """Cosines and sines (count, width) of the positions from `start`."""
        positions = np.arange(start, start + count, dtype=np.float32)
        found: dict[Kind, tuple[Floats, Floats]] = {}
        for kind, each in self._frequencies.items():
            angles = np.tile(positions[:, None] * each, 2)
            found[kind] = np.cos(angles), np.sin(angles)
        return found


def frequencies(attention: Attention) -> dict[Kind, Floats]:
    """(width / 2,) of each kind of layer that there is, in float32 as in transformers."""
    exponents = np.arange(0, attention.width, 2, dtype=np.float32) / np.float32(attention.width)
    found: dict[Kind, Floats] = {}
    for kind, rotary in attention.rotary.items():
        if kind in attention.kinds:
            base, factor = np.float32(rotary.base), np.float32(rotary.factor)
            found[kind] = np.asarray(1 / base**exponents / factor, np.float32)
    return found
