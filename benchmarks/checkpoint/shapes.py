"""Shapes of Gemma 3 models that can be made."""

from __future__ import annotations

from dataclasses import dataclass


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
