"""MedGemma (Gemma 3) through OpenVINO, on the CPU. Needs neither torch nor transformers.

Importing this package keeps a later `import openvino` from sending telemetry. OpenVINO imports its
model converter by the way, which Healer never uses, which takes two seconds, and whose first act is
to send an event; it goes on without it where it cannot be imported.
"""

from __future__ import annotations

import sys
from pathlib import Path

from healer.engines.spec import GIB, EngineSpec, ModelSource

sys.modules.setdefault("openvino.tools.ovc", None)  # type: ignore[arg-type]

CONVERSION_FOLDER = "openvino"
CONVERSION_FILE = "healer-openvino.json"


def converted_folder(model_dir: Path) -> Path:
    """Where `healer optimize` put, or would put, the model: MODEL_DIR may be that folder itself."""
    return model_dir if (model_dir / CONVERSION_FILE).is_file() else model_dir / CONVERSION_FOLDER


SPEC = EngineSpec(
    name="openvino",
    extra="openvino",
    opener="healer.engines.openvino.engine:open_engine",
    model=ModelSource.CONVERSION,
    memory_bytes=5 * GIB,  # 4.5 measured for 4B, besides what can be read from disk again
    stages=frozenset({"preprocess", "vision", "prefill"}),
    calibration_folder=lambda settings: converted_folder(settings.model_dir),
    check=("attention", "healer.engines.openvino.attention:check_attention"),
)
