"""Random weights of a Gemma 3, by transformers' own classes; shared with the tests' small model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from transformers import Gemma3Config, Gemma3ForConditionalGeneration

from benchmarks.checkpoint.configs import CONFIG, model_config
from benchmarks.checkpoint.shapes import Shape
from benchmarks.checkpoint.tokenizer import SPECIAL
from healer.engines.transformers.loading import quiet

BFLOAT16_BYTES = 2
SEEN = 0.2  # standard deviation of the projector, which transformers starts at zero: a blind model


def random_model(folder: Path, seed: int, dtype: torch.dtype) -> Any:  # noqa: ANN401
    """Of `folder`'s config.json. It is held in memory once, in `dtype`."""
    config = Gemma3Config.from_pretrained(folder)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model: Any = Gemma3ForConditionalGeneration._from_config(config, dtype=dtype)  # type: ignore[no-untyped-call]
        with torch.no_grad():
            model.model.multi_modal_projector.mm_input_projection_weight.normal_(std=SEEN)
    return model.eval()


def save_weights(model: Any, folder: Path, shard_bytes: int) -> None:  # noqa: ANN401
    """In bfloat16; config.json stays in the form that Gemma 3 was published in."""
    published = (folder / CONFIG).read_text(encoding="utf-8")
    with quiet():
        model.bfloat16().save_pretrained(folder, max_shard_size=shard_bytes)
    (folder / CONFIG).write_text(published, encoding="utf-8")


def parameters(shape: Shape) -> dict[str, int]:
    """How many numbers each weight holds, by transformers' names; the head is the embedding."""
    ids = {name: index for index, name in enumerate(SPECIAL)}
    config = Gemma3Config.from_dict(json.loads(json.dumps(model_config(shape, ids))))
    with torch.device("meta"):
        model: Any = Gemma3ForConditionalGeneration(config)
    return {name: weight.numel() for name, weight in model.named_parameters()}


def total_bytes(shape: Shape) -> int:
    return BFLOAT16_BYTES * sum(parameters(shape).values())
