"""MedGemma (Gemma 3) through OpenVINO, on the CPU. Needs neither torch nor transformers.

Importing this package keeps a later `import openvino` from sending telemetry. OpenVINO imports its
model converter by the way, which Healer never uses, which takes two seconds, and whose first act is
to send an event; it goes on without it where it cannot be imported.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from healer.engines.base import Engine, Question
from healer.engines.openvino.conversion_record import converted_folder
from healer.engines.spec import GIB, EngineSpec, ModelSource

if TYPE_CHECKING:
    from healer.settings.loading import Settings

sys.modules.setdefault("openvino.tools.ovc", None)  # type: ignore[arg-type]


def open_openvino(settings: Settings, question: Question) -> Engine:
    from healer.engines.openvino.engine import OpenVINOEngine

    return OpenVINOEngine.load(
        converted_folder(settings.model_dir),
        question,
        threads=settings.threads,
        dtype=settings.dtype,
        cache_mb=settings.image_cache_mb,
        adapter=settings.model_adapter,
    )


def check_attention(settings: Settings) -> tuple[bool, str]:
    """Whether our own attention is used in the vision tower, and why it is not."""
    try:
        from healer.engines.openvino.attention import why_not
    except ImportError:
        return False, "openvino is not installed: pip install 'healer[openvino]'"
    if why := "HEALER_DTYPE=float32" if settings.dtype == "float32" else why_not():
        return False, f"OpenVINO's own in the vision tower: {why}"
    return True, "our own in the vision tower, in 16-bit integers"


SPEC = EngineSpec(
    name="openvino",
    extra="openvino",
    open=open_openvino,
    model=ModelSource.CONVERSION,
    memory_bytes=5 * GIB,  # 4.5 measured for 4B, besides what can be read from disk again
    stages=frozenset({"preprocess", "vision", "prefill"}),
    calibration_folder=lambda settings: converted_folder(settings.model_dir),
    check=("attention", check_attention),
)
