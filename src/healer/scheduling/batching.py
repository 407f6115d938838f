"""How a model is best fed."""

from __future__ import annotations

import math

from healer.engines.base import EngineInfo
from healer.engines.registry import ENGINES
from healer.engines.spec import Batching, batching_by_device
from healer.hardware import cores
from healer.settings.loading import Settings


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
    spec = ENGINES.get(info.engine)
    return spec.batching(info, threads) if spec else batching_by_device(info, threads)


def offline_tiles(info: EngineInfo) -> int:
    """How many tiles to score at once where nobody waits for the first."""
    spec = ENGINES.get(info.engine)
    return (spec.offline_tiles if spec else None) or default_batching(info).tiles


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
