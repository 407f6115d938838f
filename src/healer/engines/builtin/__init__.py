"""The built-in classifier: a small network in ONNX, with no download and no torch."""

from __future__ import annotations

from healer.engines.builtin.runtime import INT8_FOLDER as INT8_FOLDER
from healer.engines.builtin.runtime import MODEL_FOLDER as MODEL_FOLDER
from healer.engines.builtin.runtime import calibration_folder
from healer.engines.spec import GIB, Batching, EngineSpec, ModelSource

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
    offline_at_once=2,  # its threads go on with the second while the first is put in words
    calibration_folder=calibration_folder,
    worker_per_core=True,
    trained_on=frozenset({"ebhi-seg", "kather2016"}),
    check=("network", "healer.engines.builtin.runtime:check_runtime"),
)
