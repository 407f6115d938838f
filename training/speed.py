"""How long the shipped networks take for a tile, resize included, through the engine itself."""

from __future__ import annotations

import time
from collections.abc import Sequence

import numpy as np

from healer.engines.builtin.engine import BuiltinEngine
from healer.images.tile import Tile
from training.agreement import Way

SIDES = (150, 224, 768)
TOGETHER = (1, 16)


def milliseconds(
    way: Way, threads: int = 1, repeats: int = 64
) -> dict[tuple[int, int], tuple[float, float]]:
    """(Tile side in pixels, tiles a call) → (median, 95th percentile) a tile, over calls."""
    engine = BuiltinEngine(threads, way.folder, runtime=way.runtime)
    rng = np.random.default_rng(0)
    out = {}
    for side in SIDES:
        for together in TOGETHER:
            tiles = [Tile(rng.integers(0, 256, (side, side, 3), dtype=np.uint8))] * together
            times = [timed(engine, tiles) for _ in range(repeats // together + 5)][5:]
            median, slow = np.percentile(times, [50, 95]) / together
            out[side, together] = (float(median), float(slow))
    engine.close()
    return out


def timed(engine: BuiltinEngine, tiles: Sequence[Tile]) -> float:
    start = time.perf_counter()
    engine.score(tiles)
    return (time.perf_counter() - start) * 1000
