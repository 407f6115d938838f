"""The recipe. Its defaults are those of Google's notebook for colorectal tiles
(google-health/medgemma, notebooks/fine_tune_with_hugging_face.ipynb), where LoRA took MedGemma 4B
to the accuracy of its technical report (arXiv 2507.05201)."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field
from torch.nn import functional
from transformers import get_linear_schedule_with_warmup

from healer.errors.evaluation import TuningDiverged
from healer.tuning.data import order
from healer.tuning.lora import trainable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from healer.engines.transformers.model import Gemma
    from healer.tuning.data import Inputs, Lessons
    from healer.tuning.run import Checkpoint


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


@dataclass(frozen=True, slots=True)
class Step:
    """One optimizer step, counted from 1. `loss` is nats a token, before the step; `tokens` were
    read, image tokens among them."""

    step: int
    epoch: int
    loss: float
    learning_rate: float
    grad_norm: float
    tokens: int
    seconds: float


class Trainer:
    """`wrapped` is peft's view of `gemma.model`, whose LoRA layers alone are trained."""

    def __init__(self, gemma: Gemma, wrapped: Any, lessons: Lessons, recipe: Recipe) -> None:  # noqa: ANN401
        self._gemma, self._wrapped, self._lessons = gemma, wrapped, lessons
        self._recipe = recipe
        self._parameters = trainable(gemma.model)
        self._optimizer = torch.optim.AdamW(
            self._parameters, lr=recipe.learning_rate, weight_decay=0
        )
        tiles = len(lessons.items)
        self.total = recipe.steps(tiles)
        self._scheduler = get_linear_schedule_with_warmup(  # type: ignore[no-untyped-call]
            self._optimizer, recipe.warmup_steps(tiles), self.total
        )
        self.done = 0
        gemma.model.train()
        if gemma.model.device.type == "cuda":  # a second forward pass for much less memory
            gemma.model.model.language_model.gradient_checkpointing_enable(
                gradient_checkpointing_kwargs={"use_reentrant": False}
            )

    def resume(self, checkpoint: Checkpoint) -> None:
        """Goes to where the checkpoint was made; raises CheckpointUnusable."""
        self.done = checkpoint.restore(self._wrapped, self._optimizer, self._scheduler)

    def run(self, checkpoint: Checkpoint, every: int) -> Iterator[Step]:
        """The steps that are left, each after it was taken; saves after every `every`-th and the
        last. Raises TuningDiverged or TileUnusable."""
        while self.done < self.total:
            yield self.step()
            if self.done % every == 0 or self.done == self.total:
                checkpoint.save(self.done, self._wrapped, self._optimizer, self._scheduler)

    def step(self) -> Step:
        started = time.perf_counter()
        epoch, rows = self._rows()
        rate = float(self._scheduler.get_last_lr()[0])
        loss, tokens = 0.0, 0
        for start in range(0, len(rows), self._recipe.batch_size):
            part = rows[start : start + self._recipe.batch_size]
            part_loss, part_tokens = self._learn(part, share=len(part) / len(rows))
            loss, tokens = loss + part_loss, tokens + part_tokens
        norm = torch.nn.utils.clip_grad_norm_(self._parameters, self._recipe.max_grad_norm)
        if not (math.isfinite(loss) and bool(norm.isfinite())):
            raise TuningDiverged(self.done + 1)
        self._optimizer.step()
        self._scheduler.step()
        self._optimizer.zero_grad(set_to_none=True)
        self.done += 1
        seconds = time.perf_counter() - started
        return Step(self.done, epoch + 1, loss, rate, float(norm), tokens, seconds)

    def _rows(self) -> tuple[int, list[int]]:
        """The epoch, from 0, and the tiles of the next step: its number alone decides them."""
        size, items = self._recipe.tiles_a_step, self._lessons.items
        epoch, at = divmod(self.done, self._recipe.steps_an_epoch(len(items)))
        rows = order(items, self._recipe, epoch)[at * size : (at + 1) * size]
        return epoch, rows.tolist()

    def _learn(self, rows: Sequence[int], share: float) -> tuple[float, int]:
        """Adds the gradient of one batch, which is `share` of a step; its loss and tokens."""
        inputs, targets = self._lessons.batch(rows)
        loss: Any = share * answer_loss(self._gemma.model, inputs, targets)
        loss.backward()
        return float(loss.detach()), inputs["input_ids"].numel()


def answer_loss(model: Any, inputs: Inputs, targets: torch.Tensor) -> torch.Tensor:  # noqa: ANN401
    """Cross-entropy of the answer and of the end of its turn, in nats, over their own positions.

    Float32 from the head on, as when the engine scores.
    """
    hidden = model.model(**inputs, use_cache=False).last_hidden_state
    logits = model.lm_head(hidden[:, -targets.shape[1] :]).float()
    return functional.cross_entropy(logits.flatten(0, 1), targets.flatten())
