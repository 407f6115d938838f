"""A conversion against its source: logits of both, the source in float32 with torch.

The source's weights are mapped from disk, and never all upcast at once.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from functools import partial
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
from healer.engines.openvino import loading, products
from healer.engines.openvino.conversion_record import (
    TOKENIZER,
    Activations,
    Described,
    Parity,
    TileParity,
)
from healer.engines.openvino.products import Unit
from healer.engines.transformers.loading import offline, quiet
from healer.engines.vlm.prompt import (
    AnswerTokens,
    encode,
    find_answer_tokens,
    margin,
    messages,
    opening,
)
from healer.errors.engine import ConversionInaccurate
from healer.images.tile import Tile
from healer.weights.manifest import weights_in

COARSE: tuple[Activations, ...] = ("int8", "int8-parts")  # the coarser first
FORCED = 8  # tokens of an explanation's opening, after the answer's own position


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


class Verification:
    """Logits of the answer's position, and of each after FORCED tokens that both are made to write.

    Reads no weights until it runs.
    """

    def __init__(
        self,
        request: ConversionRequest,
        about: Described,
        config: Any,  # noqa: ANN401 - transformers' own, of any model
        parts: Parts,
    ) -> None:
        self._request, self._about, self._config, self._parts = request, about, config, parts
        tokenizer = Tokenizer.from_file(str(request.source / TOKENIZER))
        self.prompt = encode(tokenizer, request.question.text, about.image.tokens)
        start = opening(request.question, Answer.YES)
        self._forced = list(tokenizer.encode(start, add_special_tokens=False).ids[:FORCED])
        self._answers = find_answer_tokens(tokenizer)

    def run(self) -> tuple[Described, Parity]:
        """What was verified, and how close it is. The float32 model is unloaded before the
        conversion is loaded: never both in memory."""
        return as_verified(self._about, partial(self._parity, self._expected()))

    def _parity(self, expected: list[Floats], about: Described) -> Parity:
        measured = tuple(self._measured(expected, about))
        return Parity(tiles=measured, tolerance=self._request.allowed)

    def _expected(self) -> list[Floats]:
        """Float32 (positions, vocabulary) of each sample."""
        request, reference = self._request, self._reference()
        step = request.steps("float32", len(request.samples))
        found = []
        for index, sample in enumerate(request.samples):
            found.append(self._reference_logits(index, sample, reference))
            step()
        return found

    def _reference_logits(
        self, index: int, sample: Sample, logits: Callable[[Sample], Floats]
    ) -> Floats:
        file = self._request.work / f"float32-{index}.npy"
        digest = hashlib.sha256(sample.tile.pixels.tobytes()).hexdigest()
        binding = (digest, sample.tile.pixels.shape, self.prompt.ids, self._forced)
        self._parts.make(file.stem, (file.name,), lambda: np.save(file, logits(sample)), *binding)
        found: Floats = np.load(file)
        return found

    def _reference(self) -> Callable[[Sample], Floats]:
        """Float32 logits by torch; the model is loaded on the first call."""
        opened: list[Any] = []

        def logits(sample: Sample) -> Floats:
            if not opened:
                opened.append(
                    ReferenceModel(self._request.source, self._config, self._request.question)
                )
            found: Floats = opened[0].logits(sample.tile, self._forced)
            return found

        return logits

    def _measured(self, expected: list[Floats], about: Described) -> list[TileParity]:
        request = self._request
        parts = about.precision.activations == "int8-parts"
        gemma = loading.load(
            request.work,
            about,
            threads=0,
            dtype="bfloat16",
            cache_mb=0,
            keep_compiled=False,
            unit=Unit.VNNI if parts and products.available() else None,
        )
        step = request.steps("converted", len(request.samples))
        measured = []
        for sample, logits in zip(request.samples, expected, strict=True):
            first, prompted = gemma.prefill(sample.tile, self.prompt)
            run = gemma.language.run(prompted)
            found = np.stack([first, *(run.step([token]) for token in self._forced)])
            measured.append(compare(sample.name, logits, found, self._answers))
            step()
        return measured


def compare(name: str, expected: Floats, found: Floats, tokens: AnswerTokens) -> TileParity:
    """Both (positions, vocabulary), the first position the answer's."""
    reference, converted = log_softmax(expected), log_softmax(found)
    best, chosen = reference.argmax(axis=-1), converted.argmax(axis=-1)
    rows = np.arange(len(reference))
    return TileParity(
        tile=name,
        reference_margin=margin(expected[0], tokens),
        margin=margin(found[0], tokens),
        divergence=float((np.exp(reference) * (reference - converted)).sum(axis=-1).mean()),
        regret=float((reference[rows, best] - reference[rows, chosen]).max()),
        agreed=int((best == chosen).sum()),
        positions=len(reference),
    )


def log_softmax(logits: Floats) -> NDArray[np.float64]:
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    normal: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return normal


def as_verified(
    about: Described, measure: Callable[[Described], Parity]
) -> tuple[Described, Parity]:
    """With the coarsest activations that are close enough to float32, where this machine can run
    our products; else as `about`."""
    for activations in COARSE if products.available() else ():
        precision = about.precision.model_copy(update={"activations": activations})
        fast = about.model_copy(update={"precision": precision})
        if not excess(parity := measure(fast)):
            return fast, parity
    return about, measure(about)


def excess(parity: Parity) -> str | None:
    """What exceeds its tolerance, in words; NaN exceeds every one."""
    for what in ("shift", "divergence", "regret"):
        found, allowed = getattr(parity, what), getattr(parity.tolerance, what)
        if not found <= allowed:
            return f"{what} {found:.3g} where {allowed:g} is allowed"
    return None


def check_tolerance(parity: Parity, model_id: str) -> None:
    """Raises ConversionInaccurate."""
    if what := excess(parity):
        raise ConversionInaccurate(model_id, what)
