"""The engines there are, and how each is best fed. None is imported before it is opened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from healer.engines import builtin, openai, openvino, transformers
from healer.engines.spec import Batching, EngineSpec, batching_by_device
from healer.hardware import cores

if TYPE_CHECKING:
    from healer.engines.base import EngineInfo
    from healer.settings.loading import Settings

SPECS = (
    builtin.SPEC,
    transformers.SPEC,
    openvino.SPEC,
    openai.SPEC,
)
ENGINES: dict[str, EngineSpec] = {spec.name: spec for spec in SPECS}


def batching_for(info: EngineInfo, settings: Settings) -> Batching:
    """The engine's own, but for what the operator set."""
    best = default_batching(info, threads_of(settings))
    tiles, wait = settings.batch, settings.batch_wait_ms
    return Batching(
        tiles=best.tiles if tiles is None else tiles,
        seconds=best.seconds if wait is None else wait / 1000,
        workers=best.workers,
    )


def threads_of(settings: Settings) -> int:
    """CPU threads of one replica: its part of the cores, where HEALER_THREADS is not set."""
    return settings.threads or max(1, cores() // settings.replicas)


def default_batching(info: EngineInfo, threads: int = 1) -> Batching:
    """The engine's own best, where each copy of the model has so many CPU threads."""
    spec = ENGINES.get(info.engine)
    return spec.batching(info, threads) if spec else batching_by_device(info, threads)


def offline_tiles(info: EngineInfo) -> int:
    """How many tiles to score at once where nobody waits for the first."""
    spec = ENGINES.get(info.engine)
    return (spec.offline_tiles if spec else None) or default_batching(info).tiles


def offline_at_once(info: EngineInfo) -> int:
    """How many such batches to score side by side."""
    spec = ENGINES.get(info.engine)
    return spec.offline_at_once if spec else 1
