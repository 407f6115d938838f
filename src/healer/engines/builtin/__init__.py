"""The built-in classifier: a small network in ONNX, with no download and no torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from healer.engines.base import Engine, EngineInfo, Question
from healer.engines.spec import GIB, Batching, EngineSpec, ModelSource

if TYPE_CHECKING:
    from healer.settings.loading import Settings

TILES = 2
OFFLINE_TILES = 16


def open_builtin(settings: Settings, question: Question) -> Engine:
    from healer.engines.builtin.engine import BuiltinEngine

    return BuiltinEngine(threads=settings.threads, question=question)


def batching(_info: EngineInfo, threads: int) -> Batching:
    """A tile is one thread's work. While the threads score, one lane more makes the next two tiles
    ready (docs/load.md has the figures of others)."""
    return Batching(tiles=TILES, lanes=threads + 1)


SPEC = EngineSpec(
    name="builtin",
    extra=None,
    open=open_builtin,
    model=ModelSource.PACKAGE,
    memory_bytes=GIB // 2,
    stages=frozenset({"preprocess", "infer"}),
    batching=batching,
    offline_tiles=OFFLINE_TILES,
    calibration_folder=lambda _settings: Path(__file__).parent,
    worker_per_core=True,
    trained_on=frozenset({"ebhi-seg"}),
)
