"""What torch says in float32: the model as published, its weights mapped and never all upcast."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import init_empty_weights
from PIL import Image
from safetensors.torch import load_file
from torch import nn
from transformers import Gemma3Config, Gemma3ForConditionalGeneration

from healer.engines.base import Question
from healer.engines.medgemma.loading import offline, quiet
from healer.engines.medgemma.prompt import messages
from healer.imaging.tile import Tile
from healer.litter import weights_in
from healer.optimize.checkpoint import Floats, plain_name
from healer.optimize.describe import load_processor


class Reference:
    """The arithmetic is float32, block by block; constants are as the weights' own format holds
    them, since the model was trained with those."""

    def __init__(self, folder: Path, config: Gemma3Config, question: Question) -> None:
        with offline(), quiet():
            self._model: Any = mapped_model(folder, config)
        self._processor = load_processor(folder)
        for block in blocks(self._model):
            compute_in_float32(block)
        self._prompt: str = self._processor.apply_chat_template(
            messages(question), tokenize=False, add_generation_prompt=True
        )

    @torch.inference_mode()
    def logits(self, tile: Tile, forced: Sequence[int]) -> Floats:
        """float32 (1 + forced, vocabulary): what follows the prompt, and each forced token."""
        inputs = self._inputs(tile)
        extra = torch.tensor([list(forced)])
        more = {
            "input_ids": extra,
            "attention_mask": torch.ones_like(extra),
            "token_type_ids": torch.zeros_like(extra),
        }
        whole = {name: torch.cat([inputs[name], more[name]], dim=1) for name in more}
        outputs = self._model(
            **whole,
            pixel_values=inputs["pixel_values"].float(),
            logits_to_keep=1 + len(forced),
            use_cache=False,
        )
        return np.asarray(outputs.logits[0])

    def _inputs(self, tile: Tile) -> dict[str, torch.Tensor]:
        found = self._processor(
            text=[self._prompt],
            images=[[Image.fromarray(tile.pixels)]],
            return_tensors="pt",
            add_special_tokens=False,  # the chat template has written <bos>
            do_pan_and_scan=False,
        )
        return dict(found)


def mapped_model(folder: Path, config: Gemma3Config) -> Any:  # noqa: ANN401
    """The model over the mapped files: its weights take no memory of their own."""
    with init_empty_weights(include_buffers=False):
        model: Any = Gemma3ForConditionalGeneration(config)
    weights: dict[str, torch.Tensor] = {}
    for file in weights_in(folder):
        weights |= {plain_name(name): tensor for name, tensor in load_file(file).items()}
    for name, _ in list(model.named_parameters()):
        if plain_name(name) in weights:
            owner, _, leaf = name.rpartition(".")
            weight = nn.Parameter(weights[plain_name(name)], requires_grad=False)
            setattr(model.get_submodule(owner), leaf, weight)
    model.tie_weights()
    embedding = model.get_input_embeddings()
    embedding.embed_scale = embedding.embed_scale.to(embedding.weight.dtype).float()
    return model.eval()


def blocks(model: Any) -> Iterator[nn.Module]:  # noqa: ANN401
    """Modules that hold every weight between them, none within another."""
    vision, language = model.model.vision_tower, model.model.language_model
    vision = getattr(vision, "vision_model", vision)
    yield from (vision.embeddings, *vision.encoder.layers, vision.post_layernorm)
    yield model.model.multi_modal_projector
    yield from (language.embed_tokens, *language.layers, language.norm, model.lm_head)


def compute_in_float32(block: nn.Module) -> None:
    """Its weights are float32 while it computes, and as they were stored before and after."""
    stored = {name: parameter.data for name, parameter in block.named_parameters()}

    def upcast(module: nn.Module, _: object) -> None:
        for parameter in module.parameters():
            parameter.data = parameter.data.float()

    def restore(module: nn.Module, _: object, __: object) -> None:
        for name, parameter in module.named_parameters():
            parameter.data = stored[name]

    block.register_forward_pre_hook(upcast)
    block.register_forward_hook(restore)
