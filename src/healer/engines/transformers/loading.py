"""A folder of weights into a sound Gemma on a device, without a request leaving the machine."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import huggingface_hub.constants
import torch
from transformers import AutoModelForImageTextToText, AutoProcessor, BitsAndBytesConfig
from transformers.utils import logging as transformers_logging

from healer.engines.base import Question
from healer.engines.transformers.model import (
    SENSIBLE_MASS,
    Gemma,
    check_answers,
    check_layers,
    check_report,
)
from healer.engines.vlm.adapter import attach_adapter
from healer.errors.engine import DeviceUnavailable, ModelUnsound

# Whole paths: transformers matches a name from its start, so a bare "vision_tower" matches nothing.
UNQUANTIZED = ["model.vision_tower", "model.multi_modal_projector", "lm_head"]
ENOUGH_FOR_BFLOAT16 = 14 * 2**30  # 8.6 GB of weights, and sixteen tiles with their caches
LITTLE_MASS = "a known tile gets {:.2%} on yes and no together"


def pick_device(configured: str) -> str:
    """`auto` takes CUDA, then MPS, then the CPU; raises DeviceUnavailable for one not there."""
    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if configured == "auto":
        return next(device for device, available in there.items() if available)
    if not there.get(configured, False):
        raise DeviceUnavailable(configured, f"torch {torch.__version__} sees no such device")
    return configured


def pick_quantization(configured: str, device: str, memory: int | None = None) -> str:
    """`auto` saves memory where it is short; elsewhere 8-bit weights only cost time.

    `memory` is the device's, in bytes; read from the driver where it is not given.
    """
    if configured != "auto":
        return configured
    if device == "cpu":
        return "8bit"
    if not device.startswith("cuda"):  # bitsandbytes knows no other
        return "none"
    total = torch.cuda.get_device_properties(device).total_memory if memory is None else memory
    return "none" if total >= ENOUGH_FOR_BFLOAT16 else "8bit"


@dataclass(frozen=True, slots=True)
class Plan:
    """What to load and how; after loading, what really runs."""

    folder: Path
    question: Question
    model_id: str
    device: str
    dtype: str
    quantization: str
    adapter: Path | None = None

    @property
    def quantized(self) -> bool:
        return self.quantization == "8bit"


def load(plan: Plan, *, allow_fallback: bool) -> tuple[Gemma, Plan, list[str]]:
    """The model, the plan it really runs by, and warnings. Raises ModelUnsound."""
    warnings = []
    if plan.quantized and plan.dtype != "bfloat16":
        plan = replace(plan, dtype="bfloat16")
        warnings.append("8-bit weights compute in bfloat16; HEALER_DTYPE was not followed")
    try:
        gemma, mass = load_sound(plan)
    except ModelUnsound as error:
        if not (plan.quantized and allow_fallback):
            raise
        warnings.append(f"8-bit weights are not sound ({error.reason}); running without them")
    else:
        return gemma, plan, [*warnings, *doubts(mass)]
    # Here the error is gone, and with it the last reference to the first model.
    plan = replace(plan, quantization="none")
    gemma, mass = load_sound(plan)
    return gemma, plan, [*warnings, *doubts(mass)]


def load_sound(plan: Plan) -> tuple[Gemma, float]:
    """The model and the mass it puts on yes and no for a known tile."""
    try:
        with offline(), quiet():
            gemma, report = read(plan)
            check_report(plan.model_id, report)
            if plan.quantized:
                check_layers(plan.model_id, gemma.model)
            if plan.adapter:
                attach_adapter(gemma.model, plan.adapter)
            mass = check_answers(plan.model_id, gemma)
    except (ImportError, ModelUnsound):
        raise
    except Exception as error:  # transformers, safetensors and CUDA raise what they please
        cause = f"{type(error).__name__}: {error}".splitlines()[0]
        raise ModelUnsound(plan.model_id, f"it could not be loaded ({cause})") from error
    if plan.quantized and mass < SENSIBLE_MASS:
        raise ModelUnsound(plan.model_id, LITTLE_MASS.format(mass))
    return gemma, mass


def doubts(mass: float) -> list[str]:
    if mass >= SENSIBLE_MASS:
        return []
    return [f"{LITTLE_MASS.format(mass)}; expect indeterminate answers"]


def read(plan: Plan, quantizer: BitsAndBytesConfig | None = None) -> tuple[Gemma, dict[str, Any]]:
    """The model and what transformers says of its weights; `quantizer` overrides the plan's."""
    loaded: Any = AutoModelForImageTextToText.from_pretrained(
        plan.folder,
        dtype=getattr(torch, plan.dtype),
        quantization_config=quantizer or (eight_bit() if plan.quantized else None),
        device_map={"": plan.device},
        local_files_only=True,
        trust_remote_code=False,
        use_safetensors=True,
        attn_implementation="sdpa",
        output_loading_info=True,
    )
    model, report = loaded
    # One resampling everywhere: torchvision's, where it is installed, gives other pixels.
    processor = AutoProcessor.from_pretrained(  # type: ignore[no-untyped-call]
        plan.folder, local_files_only=True, trust_remote_code=False, backend="pil"
    )
    return Gemma(model.eval(), processor, plan.question), report


def eight_bit() -> BitsAndBytesConfig:
    return BitsAndBytesConfig(  # type: ignore[no-untyped-call]
        load_in_8bit=True, llm_int8_skip_modules=UNQUANTIZED
    )


@contextmanager
def offline() -> Iterator[None]:
    """HF_HUB_OFFLINE=1 while it lasts, also where the hub's client was imported before."""
    before = huggingface_hub.constants.HF_HUB_OFFLINE
    huggingface_hub.constants.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        huggingface_hub.constants.HF_HUB_OFFLINE = before


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars or advice from the libraries; what matters, `soundness` checks."""
    # For good: it would warn of its cast to float16 in every layer of every pass.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    verbosity = transformers_logging.get_verbosity()
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity(logging.ERROR)
    transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)
        if bars:
            transformers_logging.enable_progress_bar()  # type: ignore[no-untyped-call]
