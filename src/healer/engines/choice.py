"""Which engine answers, and why; then opening it. Each engine's libraries load only when chosen."""

from __future__ import annotations

from dataclasses import dataclass

from healer import manifest
from healer.config import Settings
from healer.engines.base import Engine, Question
from healer.errors import ModelIncomplete


@dataclass(frozen=True, slots=True)
class Choice:
    engine: str
    reason: str


def choose(settings: Settings) -> Choice:
    if settings.engine != "auto":
        return Choice(settings.engine, "HEALER_ENGINE asks for it")
    try:
        found = manifest.read(settings.model_dir)
    except ModelIncomplete as why:
        return Choice("builtin", f"no finished MedGemma download in MODEL_DIR: {why.reason}")
    return Choice("medgemma", f"MODEL_DIR holds a finished download of {found.model_id}")


def open_engine(choice: Choice, settings: Settings, question: Question) -> Engine:
    """Blocking; minutes for MedGemma. Raises `healer.errors.ModelError`."""
    if choice.engine == "builtin":
        from healer.engines.builtin import BuiltinEngine

        return BuiltinEngine(threads=settings.threads)
    from healer.engines.medgemma import MedGemmaEngine

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
