"""The recipe. Its defaults are those of Google's notebook for colorectal tiles
(google-health/medgemma, notebooks/fine_tune_with_hugging_face.ipynb), where LoRA took MedGemma 4B
to the accuracy of its technical report (arXiv 2507.05201)."""

from __future__ import annotations

import math
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Quantization = Literal["auto", "4bit", "none"]


class Recipe(BaseModel):
    """What decides the weights that come out. `batch_size` tiles are looked at together, and
    `accumulation` such batches make one step; `quantization` "auto" is 4-bit on CUDA."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rank: int = Field(default=16, ge=1)
    alpha: int = Field(default=16, ge=1)
    dropout: float = Field(default=0.05, ge=0, lt=1)
    learning_rate: float = Field(default=2e-4, gt=0)
    epochs: int = Field(default=1, ge=1)
    train_tiles: int = Field(default=9000, ge=1)
    validation_tiles: int = Field(default=1000, ge=1)
    batch_size: int = Field(default=4, ge=1)
    accumulation: int = Field(default=4, ge=1)
    warmup_ratio: float = Field(default=0.03, ge=0, le=1)
    max_grad_norm: float = Field(default=0.3, gt=0)
    balanced: bool = False
    seed: int = Field(default=0, ge=0)
    quantization: Quantization = "auto"

    @property
    def tiles_a_step(self) -> int:
        return self.batch_size * self.accumulation

    def steps(self, tiles: int) -> int:
        """Optimizer steps over `tiles` training tiles."""
        return self.epochs * self.steps_an_epoch(tiles)

    def steps_an_epoch(self, tiles: int) -> int:
        return math.ceil(tiles / self.tiles_a_step)

    def warmup_steps(self, tiles: int) -> int:
        return math.ceil(self.warmup_ratio * self.steps(tiles))

    def quantization_on(self, device: str) -> str:
        if self.quantization != "auto":
            return self.quantization
        return "4bit" if device == "cuda" else "none"
