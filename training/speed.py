"""How long the shipped model takes for a tile, resize included, through the engine itself."""

from __future__ import annotations

import time

import numpy as np

from healer.engines.builtin.engine import BuiltinEngine
from healer.images.tile import Tile

SIDES = (150, 224, 768)


def milliseconds(threads: int = 1, repeats: int = 60) -> dict[int, tuple[float, float]]:
    """Tile side in pixels → (median, 95th percentile) over single-tile calls."""
    engine = BuiltinEngine(threads=threads)
    rng = np.random.default_rng(0)
    out = {}
    for side in SIDES:
        tile = Tile(rng.integers(0, 256, (side, side, 3), dtype=np.uint8))
        times = [timed(engine, tile) for _ in range(repeats + 5)][5:]
        median, slow = np.percentile(times, [50, 95])
        out[side] = (float(median), float(slow))
    return out


def timed(engine: BuiltinEngine, tile: Tile) -> float:
    start = time.perf_counter()
    engine.score([tile])
    return (time.perf_counter() - start) * 1000
