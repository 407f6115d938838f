"""How a model is best fed."""

from __future__ import annotations

from dataclasses import dataclass

from healer.config import Settings
from healer.engines.base import EngineInfo
from healer.processor import cores


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


def batching(info: EngineInfo, settings: Settings) -> Batching:
    """The engine's own, but for what the operator set."""
    best = natural(info, threads_of(settings))
    tiles, wait = settings.batch, settings.batch_wait_ms
    return Batching(
        tiles=best.tiles if tiles is None else tiles,
        seconds=best.seconds if wait is None else wait / 1000,
        lanes=best.lanes,
    )


def threads_of(settings: Settings) -> int:
    """CPU threads of one replica: its part of the cores, where nothing else was asked for."""
    return settings.threads or max(1, cores() // settings.replicas)


def natural(info: EngineInfo, threads: int = 1) -> Batching:
    """The engine's own best, where each copy of the model has so many CPU threads."""
    if info.engine == "builtin":
        # A tile is one thread's work for the built-in. While its threads look, one lane more makes
        # the next two tiles ready (docs/load.md has the figures of others).
        return Batching(tiles=BUILTIN_TILES, lanes=threads + 1)
    if info.engine == "openai":
        return UPSTREAM
    # 8-bit weights on a GPU are read tile by tile, so that no tile is moved by its neighbours.
    return GPU if info.device.startswith("cuda") and info.quantization == "none" else ALONE
