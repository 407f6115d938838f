"""How a model is best fed."""

from __future__ import annotations

import math
from dataclasses import dataclass

from healer.engines.base import EngineInfo
from healer.hardware import cores
from healer.settings.loading import Settings


@dataclass(frozen=True, slots=True)
class Batching:
    """At most `tiles` at once, waited for at most `seconds`; `lanes` threads ask one model."""

    tiles: int = 1
    seconds: float = 0.0
    lanes: int = 1


# On a CPU a tile fills every core by itself: its answer comes soonest alone.
ALONE = Batching()
BUILTIN_TILES = 2
# A GPU reads many images in hardly more time than one.
GPU = Batching(tiles=16, seconds=0.005)
# The server puts together what is asked side by side.
UPSTREAM = Batching(lanes=8)


def batching_for(info: EngineInfo, settings: Settings) -> Batching:
    """The engine's own, but for what the operator set."""
    best = default_batching(info, threads_of(settings))
    tiles, wait = settings.batch, settings.batch_wait_ms
    return Batching(
        tiles=best.tiles if tiles is None else tiles,
        seconds=best.seconds if wait is None else wait / 1000,
        lanes=best.lanes,
    )


def threads_of(settings: Settings) -> int:
    """CPU threads of one replica: its part of the cores, where nothing else was asked for."""
    return settings.threads or max(1, cores() // settings.replicas)


def default_batching(info: EngineInfo, threads: int = 1) -> Batching:
    """The engine's own best, where each copy of the model has so many CPU threads."""
    if info.engine == "builtin":
        # A tile is one thread's work for the built-in. While its threads look, one lane more makes
        # the next two tiles ready (docs/load.md has the figures of others).
        return Batching(tiles=BUILTIN_TILES, lanes=threads + 1)
    if info.engine == "openai":
        return UPSTREAM
    # 8-bit weights on a GPU are read tile by tile, so that no tile is moved by its neighbours.
    return GPU if info.device.startswith("cuda") and info.quantization == "none" else ALONE


WEIGHT = 0.2  # of the newest measurement
LONGEST = 3600


class ThroughputEstimator:
    """Seconds of a worker's time a tile takes; the first measurement is the self-test's."""

    def __init__(self) -> None:
        self.seconds = 1.0
        self._measured = False

    def record(self, seconds: float, tiles: int) -> None:
        each = seconds / tiles
        self.seconds += (WEIGHT if self._measured else 1.0) * (each - self.seconds)
        self._measured = True

    def retry_after(self, tiles: int, workers: int) -> int:
        """Whole seconds, at least 1, until `tiles` will have been answered by `workers`."""
        return min(LONGEST, max(1, math.ceil(self.seconds * tiles / max(1, workers))))
