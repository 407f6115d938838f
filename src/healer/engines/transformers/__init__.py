"""MedGemma (Gemma 3) through PyTorch and transformers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from healer.engines.base import Engine, Question
from healer.engines.spec import GIB, EngineSpec, ModelSource

if TYPE_CHECKING:
    from healer.settings.loading import Settings


def open_medgemma(settings: Settings, question: Question) -> Engine:
    from healer.engines.transformers.engine import MedGemmaEngine

    return MedGemmaEngine.load(
        settings.model_dir,
        question,
        device=settings.device,
        dtype=settings.dtype,
        quantization=settings.quantization,
        allow_fallback=settings.allow_fallback,
        threads=settings.threads,
        adapter=settings.model_adapter,
    )


SPEC = EngineSpec(
    name="medgemma",
    extra="medgemma",
    open=open_medgemma,
    model=ModelSource.DOWNLOAD,
    memory_bytes=9 * GIB,  # 8.6 measured for 4B in bfloat16
    stages=frozenset({"preprocess", "forward"}),
    uses_gpu=True,
)
