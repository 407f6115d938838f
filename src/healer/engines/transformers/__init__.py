"""MedGemma (Gemma 3) through PyTorch and transformers."""

from __future__ import annotations

import importlib.util

from healer.engines.spec import GIB, EngineSpec, ModelSource

SPEC = EngineSpec(
    name="medgemma",
    extra="medgemma",
    opener="healer.engines.transformers.engine:open_engine",
    model=ModelSource.DOWNLOAD,
    memory_bytes=9 * GIB,  # 8.6 measured for 4B in bfloat16
    stages=frozenset({"preprocess", "forward"}),
    uses_gpu=True,
)


def accelerator(device: str) -> str | None:
    """Why MedGemma should run on something better than the CPU; torch is imported last."""
    if device in ("cuda", "mps"):
        return f"HEALER_DEVICE asks for {device}"
    if device == "cpu" or importlib.util.find_spec("torch") is None:
        return None
    import torch

    return "torch sees a CUDA device" if torch.cuda.is_available() else None
