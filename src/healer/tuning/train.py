"""The steps of a run, and the checkpoint that it is resumed from."""

from __future__ import annotations

import math
import pickle
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from peft import get_peft_model_state_dict, set_peft_model_state_dict
from torch.nn import functional
from transformers import get_linear_schedule_with_warmup

from healer.errors.evaluation import CheckpointUnusable, TuningDiverged
from healer.files.disk import atomic_write
from healer.tuning.data import Recipe, order
from healer.tuning.lora import trainable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from healer.engines.transformers.model import Gemma
    from healer.tuning.data import Inputs, Lessons


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


CHECKPOINT_FILE = "checkpoint.pt"
RunBinding = dict[str, Any]


class Checkpoint:
    """`binding` is everything a run's weights depend on; another run's file is refused."""

    def __init__(self, folder: Path, binding: RunBinding) -> None:
        self._file = folder / CHECKPOINT_FILE
        self._binding = binding

    def save(self, step: int, wrapped: Any, optimizer: Any, scheduler: Any) -> None:  # noqa: ANN401
        """`step` optimizer steps are done."""
        state = {
            "binding": self._binding,
            "step": step,
            "adapter": get_peft_model_state_dict(wrapped, save_embedding_layers=False),
            "optimizer": optimizer.state_dict(),
            "scheduler": scheduler.state_dict(),
            "cpu_rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        }
        draft = self._file.with_suffix(".draft")
        with atomic_write(self._file, draft=draft) as stream:
            torch.save(state, stream)

    def restore(self, wrapped: Any, optimizer: Any, scheduler: Any) -> int:  # noqa: ANN401
        """The steps that are done, 0 where there is no file; raises CheckpointUnusable."""
        if not self._file.is_file():
            return 0
        state = self._read()
        set_peft_model_state_dict(wrapped, state["adapter"])
        optimizer.load_state_dict(state["optimizer"])
        scheduler.load_state_dict(state["scheduler"])
        torch.set_rng_state(state["cpu_rng"])
        if state["cuda_rng"] and torch.cuda.is_available():
            torch.cuda.set_rng_state_all(state["cuda_rng"])
        return int(state["step"])

    def _read(self) -> dict[str, Any]:
        try:
            state: dict[str, Any] = torch.load(self._file, map_location="cpu", weights_only=True)
            held = state["binding"]
        except (OSError, RuntimeError, EOFError, KeyError, pickle.UnpicklingError) as error:
            reason = f"it is damaged ({type(error).__name__})"
            raise CheckpointUnusable(str(self._file), reason) from None
        except zipfile.BadZipFile:
            raise CheckpointUnusable(str(self._file), "it is damaged") from None
        if other := [name for name, value in self._binding.items() if held.get(name) != value]:
            reason = f"it belongs to a run with another {' and '.join(other)}"
            raise CheckpointUnusable(str(self._file), reason)
        return state


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
