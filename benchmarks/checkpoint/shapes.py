"""Shapes of Gemma 3 models that can be measured, and every weight such a model has."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Kind = Literal["noise", "zeros", "ones"]


@dataclass(frozen=True, slots=True)
class Text:
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocabulary: int
    window: int = 1024


@dataclass(frozen=True, slots=True)
class Vision:
    """`size` and `patch` in pixels a side."""

    hidden: int
    layers: int
    heads: int
    intermediate: int
    size: int
    patch: int
    tokens: int

    @property
    def positions(self) -> int:
        return (self.size // self.patch) ** 2


@dataclass(frozen=True, slots=True)
class Shape:
    """`prompt_tokens` is what a prompt with its image should come to; None takes Healer's own."""

    name: str
    text: Text
    vision: Vision
    shard_bytes: int
    prompt_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class Weight:
    """`deviation` is the standard one of noise, else unused."""

    name: str
    shape: tuple[int, ...]
    kind: Kind = "noise"
    deviation: float = 0.02

    @property
    def count(self) -> int:
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        return 2 * self.count


SHAPES = {
    "medgemma-4b": Shape(
        "medgemma-4b",
        Text(2560, 34, 8, 4, 256, 10240, 262208),
        Vision(1152, 27, 16, 4304, 896, 14, 256),
        shard_bytes=4_900_000_000,
        prompt_tokens=334,
    ),
    # Five sliding-window layers to one full one, as published.
    "tiny": Shape(
        "tiny",
        Text(64, 6, 4, 2, 16, 128, 1024),
        Vision(32, 2, 2, 64, 112, 14, 16),
        shard_bytes=300_000,
    ),
}


def weights(shape: Shape) -> Iterator[Weight]:
    """In the order and by the names that Gemma 3 was published with. The head is the embedding.

    The layers' matrices have the deviation that training starts from: normalised inputs then stay
    near one. Gemma's norms multiply by 1 + weight.
    """
    yield from _text(shape.text)
    yield from _vision(shape.vision)
    wide, width = shape.vision.hidden, shape.text.hidden
    yield Weight("multi_modal_projector.mm_input_projection_weight", (wide, width))
    yield Weight("multi_modal_projector.mm_soft_emb_norm.weight", (wide,), "zeros")


def total_bytes(shape: Shape) -> int:
    return sum(weight.nbytes for weight in weights(shape))


def _text(text: Text) -> Iterator[Weight]:
    stem = "language_model.model"
    # An embedding is multiplied by the root of its width, and so comes to about one.
    spread = text.hidden**-0.5
    yield Weight(f"{stem}.embed_tokens.weight", (text.vocabulary, text.hidden), deviation=spread)
    queries, keys = text.heads * text.head_dim, text.kv_heads * text.head_dim
    for layer in range(text.layers):
        here = f"{stem}.layers.{layer}"
        yield Weight(f"{here}.self_attn.q_proj.weight", (queries, text.hidden))
        yield Weight(f"{here}.self_attn.k_proj.weight", (keys, text.hidden))
        yield Weight(f"{here}.self_attn.v_proj.weight", (keys, text.hidden))
        yield Weight(f"{here}.self_attn.o_proj.weight", (text.hidden, queries))
        for norm in ("q_norm", "k_norm"):
            yield Weight(f"{here}.self_attn.{norm}.weight", (text.head_dim,), "zeros")
        yield Weight(f"{here}.mlp.gate_proj.weight", (text.intermediate, text.hidden))
        yield Weight(f"{here}.mlp.up_proj.weight", (text.intermediate, text.hidden))
        yield Weight(f"{here}.mlp.down_proj.weight", (text.hidden, text.intermediate))
        for norm in ("input", "post_attention", "pre_feedforward", "post_feedforward"):
            yield Weight(f"{here}.{norm}_layernorm.weight", (text.hidden,), "zeros")
    yield Weight(f"{stem}.norm.weight", (text.hidden,), "zeros")


def _vision(vision: Vision) -> Iterator[Weight]:
    stem, wide = "vision_tower.vision_model", vision.hidden
    patch = (wide, 3, vision.patch, vision.patch)
    yield Weight(f"{stem}.embeddings.patch_embedding.weight", patch)
    yield Weight(f"{stem}.embeddings.patch_embedding.bias", (wide,), "zeros")
    yield Weight(f"{stem}.embeddings.position_embedding.weight", (vision.positions, wide))
    for layer in range(vision.layers):
        here = f"{stem}.encoder.layers.{layer}"
        for norm in ("layer_norm1", "layer_norm2"):
            yield Weight(f"{here}.{norm}.weight", (wide,), "ones")
            yield Weight(f"{here}.{norm}.bias", (wide,), "zeros")
        for name in ("q_proj", "k_proj", "v_proj", "out_proj"):
            yield from _linear(f"{here}.self_attn.{name}", wide, wide)
        yield from _linear(f"{here}.mlp.fc1", vision.intermediate, wide)
        yield from _linear(f"{here}.mlp.fc2", wide, vision.intermediate)
    yield Weight(f"{stem}.post_layernorm.weight", (wide,), "ones")
    yield Weight(f"{stem}.post_layernorm.bias", (wide,), "zeros")


def _linear(name: str, rows: int, columns: int) -> Iterator[Weight]:
    yield Weight(f"{name}.weight", (rows, columns))
    yield Weight(f"{name}.bias", (rows,), "zeros")
