"""The engines there are; which one answers, and why; then opening it.

Each engine's libraries load only when it is opened.
"""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from healer.engines import builtin, openai, openvino, transformers
from healer.engines.base import Engine, Question
from healer.engines.openvino.conversion_record import (
    converted_folder,
    is_converted,
    read_conversion,
)
from healer.engines.spec import EngineSpec
from healer.errors.engine import ModelIncomplete
from healer.weights.manifest import Manifest, read_manifest

if TYPE_CHECKING:
    from healer.settings.loading import Settings

SPECS = (
    builtin.SPEC,
    transformers.SPEC,
    openvino.SPEC,
    openai.SPEC,
)
ENGINES: dict[str, EngineSpec] = {spec.name: spec for spec in SPECS}


@dataclass(frozen=True, slots=True)
class EngineChoice:
    engine: str
    reason: str


def choose_engine(settings: Settings) -> EngineChoice:
    if settings.engine != "auto":
        return EngineChoice(settings.engine, "HEALER_ENGINE asks for it")
    downloaded, missing = _download(settings.model_dir)
    if downloaded and (device := _accelerator(settings.device)):
        return EngineChoice(
            transformers.SPEC.name, f"MODEL_DIR holds {downloaded.model_id}, and {device}"
        )
    folder = converted_folder(settings.model_dir)
    if is_converted(folder):
        source = read_conversion(folder).source
        if not settings.model_adapter or source.adapter or not downloaded:
            return EngineChoice(openvino.SPEC.name, f"{folder} holds {source.model_id}, converted")
        why = "MODEL_ADAPTER is not in the converted one"
        return EngineChoice(
            transformers.SPEC.name, f"MODEL_DIR holds {downloaded.model_id}, and {why}"
        )
    if downloaded:
        reason = f"MODEL_DIR holds a finished download of {downloaded.model_id}"
        return EngineChoice(transformers.SPEC.name, reason)
    return EngineChoice(builtin.SPEC.name, f"no finished MedGemma download in MODEL_DIR: {missing}")


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
    return ENGINES[choice.engine].open(settings, question)
