"""What torch says in float32: the model as published, its weights mapped and never all upcast."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from accelerate import init_empty_weights
from numpy.typing import NDArray
from PIL import Image
from safetensors.torch import load_file
from tokenizers import Tokenizer
from torch import nn
from transformers import Gemma3Config, Gemma3ForConditionalGeneration

from healer.conversion.checkpoint import Floats, plain_name
from healer.conversion.describe import load_processor
from healer.conversion.request import ConversionRequest, Parts, Sample
from healer.engines.base import Answer, Question
from healer.engines.openvino import loading
from healer.engines.openvino.conversion_record import TOKENIZER, Described, Parity, TileParity
from healer.engines.transformers.loading import offline, quiet
from healer.engines.vlm.answer_tokens import AnswerTokens, find_answer_tokens, margin
from healer.engines.vlm.prompt import encode, messages, opening
from healer.errors import ConversionInaccurate
from healer.images.tile import Tile
from healer.weights.manifest import weights_in


class ReferenceModel:
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


FORCED = 8  # tokens of an explanation's opening, after the answer's own position


class Verification:
    """Logits of the answer's position, and of each after FORCED tokens that both are made to say.

    Reads no weights until it runs.
    """

    def __init__(
        self,
        order: ConversionRequest,
        about: Described,
        config: Any,  # noqa: ANN401 - transformers' own, of any model
        parts: Parts,
    ) -> None:
        self._order, self._about, self._config, self._parts = order, about, config, parts
        tokenizer = Tokenizer.from_file(str(order.source / TOKENIZER))
        self.prompt = encode(tokenizer, order.question.text, about.image.tokens)
        start = opening(order.question, Answer.YES)
        self._forced = list(tokenizer.encode(start, add_special_tokens=False).ids[:FORCED])
        self._answers = find_answer_tokens(tokenizer)

    def run(self) -> Parity:
        """Float32 is let go of before the conversion is loaded: never both in memory."""
        expected = self._expected()
        return Parity(tiles=tuple(self._measured(expected)), tolerance=self._order.allowed)

    def _expected(self) -> list[Floats]:
        """Float32 (positions, vocabulary) of each sample."""
        order, reference = self._order, self._reference()
        step = order.steps("float32", len(order.samples))
        found = []
        for index, sample in enumerate(order.samples):
            found.append(self._kept(index, sample, reference))
            step()
        return found

    def _kept(self, index: int, sample: Sample, logits: Callable[[Sample], Floats]) -> Floats:
        file = self._order.work / f"float32-{index}.npy"
        seen = hashlib.sha256(sample.tile.pixels.tobytes()).hexdigest()
        told = (seen, sample.tile.pixels.shape, self.prompt.ids, self._forced)
        self._parts.make(file.stem, (file.name,), lambda: np.save(file, logits(sample)), *told)
        found: Floats = np.load(file)
        return found

    def _reference(self) -> Callable[[Sample], Floats]:
        """Float32 by torch, opened when first asked."""
        opened: list[Any] = []

        def logits(sample: Sample) -> Floats:
            if not opened:
                opened.append(
                    ReferenceModel(self._order.source, self._config, self._order.question)
                )
            found: Floats = opened[0].logits(sample.tile, self._forced)
            return found

        return logits

    def _measured(self, expected: list[Floats]) -> list[TileParity]:
        order = self._order
        gemma = loading.load(
            order.work, self._about, threads=0, dtype="bfloat16", cache_mb=0, keep_compiled=False
        )
        step = order.steps("converted", len(order.samples))
        measured = []
        for sample, sure in zip(order.samples, expected, strict=True):
            first, prompted = gemma.prefill(sample.tile, self.prompt)
            run = gemma.language.run(prompted)
            found = np.stack([first, *(run.step([token]) for token in self._forced)])
            measured.append(compare(sample.name, sure, found, self._answers))
            step()
        return measured


def compare(name: str, expected: Floats, found: Floats, tokens: AnswerTokens) -> TileParity:
    """Both (positions, vocabulary), the first position the answer's."""
    sure, tried = log_softmax(expected), log_softmax(found)
    best, chosen = sure.argmax(axis=-1), tried.argmax(axis=-1)
    rows = np.arange(len(sure))
    return TileParity(
        tile=name,
        reference_margin=margin(expected[0], tokens),
        margin=margin(found[0], tokens),
        divergence=float((np.exp(sure) * (sure - tried)).sum(axis=-1).mean()),
        regret=float((sure[rows, best] - sure[rows, chosen]).max()),
        agreed=int((best == chosen).sum()),
        positions=len(sure),
    )


def log_softmax(logits: Floats) -> NDArray[np.float64]:
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    normal: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return normal


def check_tolerance(parity: Parity, model_id: str) -> None:
    """Raises ConversionInaccurate; what is no number is past every tolerance."""
    for what in ("shift", "divergence", "regret"):
        found, allowed = getattr(parity, what), getattr(parity.tolerance, what)
        if not found <= allowed:
            raise ConversionInaccurate(model_id, f"{what} {found:.3g} where {allowed:g} is allowed")
