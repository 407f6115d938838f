"""The built-in classifier: a small network in ONNX, with no download and no torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from healer.engines.spec import GIB, Batching, EngineSpec, ModelSource
from healer.hardware import multiplies_bytes

if TYPE_CHECKING:
    from healer.settings.loading import Settings

MODEL_FOLDER = Path(__file__).parent
INT8_FOLDER = MODEL_FOLDER / "int8"


def model_folder(settings: Settings) -> Path:
    """That of the network in 8-bit integers, with its own calibration, where HEALER_QUANTIZATION
    says 8bit and the processor multiplies those faster than floats; else that in float32."""
    eight_bits = settings.quantization == "8bit" and multiplies_bytes()
    return INT8_FOLDER if eight_bits else MODEL_FOLDER


SPEC = EngineSpec(
    name="builtin",
    extra=None,
    opener="healer.engines.builtin.engine:open_engine",
    model=ModelSource.PACKAGE,
    memory_bytes=GIB // 2,
    stages=frozenset({"preprocess", "infer"}),
    # A tile is one thread's work. While the threads score, one worker more makes the next two tiles
    # ready (docs/load.md has the figures of others).
    batching=lambda _info, threads: Batching(tiles=2, workers=threads + 1),
    offline_tiles=16,
    calibration_folder=model_folder,
    worker_per_core=True,
    trained_on=frozenset({"ebhi-seg", "kather2016"}),
)
