"""Which engine answers, and why; then opening it. Each engine's libraries load only when chosen."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from healer.engines.base import Engine, Question
from healer.engines.openvino.conversion_record import (
    CONVERSION_FILE,
    CONVERSION_FOLDER,
    is_converted,
    read_conversion,
)
from healer.errors import ModelIncomplete
from healer.settings.loading import Settings
from healer.weights.manifest import Manifest, read_manifest


@dataclass(frozen=True, slots=True)
class EngineChoice:
    engine: str
    reason: str


def choose_engine(settings: Settings) -> EngineChoice:
    if settings.engine != "auto":
        return EngineChoice(settings.engine, "HEALER_ENGINE asks for it")
    downloaded, missing = _download(settings.model_dir)
    if downloaded and (device := _accelerator(settings.device)):
        return EngineChoice("medgemma", f"MODEL_DIR holds {downloaded.model_id}, and {device}")
    folder = converted_folder(settings.model_dir)
    if is_converted(folder):
        source = read_conversion(folder).source
        if not settings.model_adapter or source.adapter or not downloaded:
            return EngineChoice("openvino", f"{folder} holds {source.model_id}, converted")
        why = "MODEL_ADAPTER is not in the converted one"
        return EngineChoice("medgemma", f"MODEL_DIR holds {downloaded.model_id}, and {why}")
    if downloaded:
        reason = f"MODEL_DIR holds a finished download of {downloaded.model_id}"
        return EngineChoice("medgemma", reason)
    return EngineChoice("builtin", f"no finished MedGemma download in MODEL_DIR: {missing}")


def converted_folder(model_dir: Path) -> Path:
    """Where `healer optimize` put, or would put, the model: MODEL_DIR may be that folder itself."""
    return model_dir if (model_dir / CONVERSION_FILE).is_file() else model_dir / CONVERSION_FOLDER


def _download(model_dir: Path) -> tuple[Manifest | None, str]:
    """The finished download, or why there is none."""
    try:
        return read_manifest(model_dir), ""
    except ModelIncomplete as why:
        return None, why.reason


def _accelerator(device: str) -> str | None:
    """Why MedGemma should run on something better than the CPU; torch is asked last."""
    if device in ("cuda", "mps"):
        return f"HEALER_DEVICE asks for {device}"
    if device == "cpu" or importlib.util.find_spec("torch") is None:
        return None
    import torch

    return "torch sees a CUDA device" if torch.cuda.is_available() else None


def open_engine(choice: EngineChoice, settings: Settings, question: Question) -> Engine:
    """Blocking; minutes for MedGemma. Raises `healer.errors.ModelError`."""
    return OPENERS[choice.engine](settings, question)


def _builtin(settings: Settings, _: Question) -> Engine:
    from healer.engines.builtin.engine import BuiltinEngine

    return BuiltinEngine(threads=settings.threads)


def _medgemma(settings: Settings, question: Question) -> Engine:
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


def _openvino(settings: Settings, question: Question) -> Engine:
    from healer.engines.openvino.engine import OpenVINOEngine

    return OpenVINOEngine.load(
        converted_folder(settings.model_dir),
        question,
        threads=settings.threads,
        dtype=settings.dtype,
        cache_mb=settings.image_cache_mb,
        adapter=settings.model_adapter,
    )


def _openai(settings: Settings, question: Question) -> Engine:
    from healer.engines.openai.client import RetryPolicy
    from healer.engines.openai.engine import OpenAIEngine

    return OpenAIEngine.load(
        str(settings.engine_url) if settings.engine_url else None,
        question,
        key=settings.engine_key,
        model=settings.engine_model,
        patience=RetryPolicy(timeout=settings.engine_timeout),
    )


OPENERS: dict[str, Callable[[Settings, Question], Engine]] = {
    "builtin": _builtin,
    "medgemma": _medgemma,
    "openai": _openai,
    "openvino": _openvino,
}
