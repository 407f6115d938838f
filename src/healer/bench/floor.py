"""The least time a shape can take on a machine, from its arithmetic and the machine's ceilings.

    vision    2 · matrix weights · patches + 4 · patches² · width, a layer
    prefill   2 · matrix weights of the language layers · prompt tokens
    decode    bytes of the language weights and the head, read once a token

Matrices are counted at the best rate measured, the attention of vision at the best rate of
floating point; weights at one byte each unless said otherwise. What is not a matrix product is
counted as free.
"""

from __future__ import annotations

from dataclasses import dataclass

from healer.bench.shapes import Shape, Text, Vision


@dataclass(frozen=True, slots=True)
class Rates:
    """Floating-point or integer operations a second, and bytes a second."""

    matrix: float
    attention: float
    read: float


@dataclass(frozen=True, slots=True)
class Floor:
    """Seconds; `decode` is tokens a second."""

    vision: float
    prefill: float
    decode: float

    @property
    def verdict(self) -> float:
        return self.vision + self.prefill

    def answer(self, tokens: int, tiles: int = 1) -> float:
        """Of so many tiles side by side, for which the weights are read once a token."""
        return tiles * self.verdict + tokens / self.decode


def floor(shape: Shape, prompt_tokens: int, rates: Rates, *, weight_bytes: int = 1) -> Floor:
    matrices, attention = vision_operations(shape)
    prefill = 2 * language_weights(shape.text) * prompt_tokens
    read = language_weights(shape.text) + shape.text.vocabulary * shape.text.hidden
    return Floor(
        vision=matrices / rates.matrix + attention / rates.attention,
        prefill=prefill / rates.matrix,
        decode=rates.read / (weight_bytes * read),
    )


def vision_operations(shape: Shape) -> tuple[int, int]:
    """Of one image: those of matrices with weights, and those of attention."""
    vision = shape.vision
    patches = vision.positions
    weights = vision.layers * vision_layer(vision) + vision.hidden * 3 * vision.patch**2
    projector = 2 * vision.hidden * shape.text.hidden * vision.tokens
    return 2 * weights * patches + projector, 4 * vision.layers * patches**2 * vision.hidden


def vision_layer(vision: Vision) -> int:
    return 4 * vision.hidden**2 + 2 * vision.hidden * vision.intermediate


def language_weights(text: Text) -> int:
    """Of all layers' matrices; neither the embedding nor the head."""
    attention = 2 * text.hidden * (text.heads + text.kv_heads) * text.head_dim
    return text.layers * (attention + 3 * text.hidden * text.intermediate)
