"""The recipe; which tiles are learnt from, in which order, and what the model is to answer."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from pydantic import Field

from healer.errors.base import HealerError
from healer.errors.engine import ModelUnsound
from healer.errors.evaluation import DatasetUnreadable, TileUnusable, TooFewCases
from healer.evaluation.datasets import Dataset, Files, Item, Limits
from healer.evaluation.metrics import Rows, by_case
from healer.files.disk import StoredRecord

if TYPE_CHECKING:
    from healer.engines.transformers.model import Gemma
    from healer.images.tile import Tile

END_OF_TURN = "<end_of_turn>"
SPELLINGS = {True: "Yes", False: "No"}
Inputs = dict[str, torch.Tensor]


Quantization = Literal["auto", "4bit", "none"]


class Recipe(StoredRecord):
    """What decides the weights that come out.

    Its defaults are those of Google's notebook for colorectal tiles (google-health/medgemma,
    notebooks/fine_tune_with_hugging_face.ipynb), where LoRA took MedGemma 4B to the accuracy of its
    technical report (arXiv 2507.05201). `batch_size` tiles are one batch, and `accumulation` such
    batches make one step; `quantization` "auto" is 4-bit on CUDA.
    """

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
class Split:
    """No case is on both sides."""

    train: Dataset
    validation: Dataset


def split(dataset: Dataset, recipe: Recipe) -> Split:
    """By case, each answer on both sides; raises TooFewCases where that cannot be."""
    truth = np.array([item.positive for item in dataset.items])
    cases = np.array([item.case_id for item in dataset.items])
    share = recipe.validation_tiles / (recipe.train_tiles + recipe.validation_tiles)
    try:
        parts = list(by_case(truth, cases, most=max(2, round(1 / share)), seed=recipe.seed))
    except ValueError as error:
        raise TooFewCases(dataset.name, str(error)) from None
    for known, unseen in parts:
        if truth[unseen].any() and not truth[unseen].all():
            rng = np.random.default_rng(recipe.seed)
            return Split(
                _drawn(dataset, known, recipe.train_tiles, rng),
                _drawn(dataset, unseen, recipe.validation_tiles, rng),
            )
    raise TooFewCases(dataset.name, "no part of the cases holds both answers")


def _drawn(dataset: Dataset, rows: Rows, count: int, rng: np.random.Generator) -> Dataset:
    chosen = np.sort(rng.permutation(rows)[:count])
    return replace(dataset, items=tuple(dataset.items[row] for row in chosen))


def write(part: Dataset, file: Path) -> None:
    """As a CSV index that Healer reads as a dataset of its own; raises DatasetUnreadable."""
    if not isinstance(part.source, Files):
        raise DatasetUnreadable(part.name, "its tiles are not files, and tuning needs files")
    # Names that are no UTF-8 are written as they are: Healer reads them so.
    with file.open("w", newline="", encoding="utf-8", errors="surrogateescape") as out:
        table = csv.writer(out, lineterminator="\n")
        table.writerow(("path", "label", "case_id"))
        for item in part.items:
            case = item.case_id if item.case_id != item.path else ""  # no case was given
            table.writerow(((part.source.folder / item.path).resolve(), item.label, case))


def order(items: Sequence[Item], recipe: Recipe, epoch: int) -> NDArray[np.int64]:
    """Rows of `items` in the order of an epoch, the same for the same seed.

    Where the recipe is balanced they are drawn with replacement, either answer as often.
    """
    rng = np.random.default_rng([recipe.seed, epoch])
    if not recipe.balanced:
        return rng.permutation(len(items))
    truth = np.array([item.positive for item in items], np.int64)
    weights = 1 / np.bincount(truth, minlength=2)[truth]
    return rng.choice(len(items), len(items), p=weights / weights.sum())


class Lessons:
    """Prompts exactly as the engine sends them, each with the answer it should score highest."""

    def __init__(self, gemma: Gemma, data: Dataset, limits: Limits, model_id: str) -> None:
        self.items = data.items
        self._gemma, self._source, self._limits = gemma, data.source, limits
        self._ids = {truth: answer_ids(gemma, model_id, truth=truth) for truth in (True, False)}

    def batch(self, rows: Sequence[int]) -> tuple[Inputs, torch.Tensor]:
        """Inputs that end in the answer's token, and the two ids to learn, (tiles, 2): that token
        and the end of the turn. Nothing else in the inputs is learnt. Raises TileUnusable."""
        items = [self.items[row] for row in rows]
        inputs = self._gemma.inputs([self._tile(item) for item in items])
        ids = inputs["input_ids"]
        targets = torch.tensor([self._ids[item.positive] for item in items], device=ids.device)
        answer = targets[:, :1]
        inputs["input_ids"] = torch.cat([ids, answer], dim=1)
        for name, value in (("attention_mask", 1), ("token_type_ids", 0)):
            inputs[name] = torch.cat([inputs[name], torch.full_like(answer, value)], dim=1)
        return inputs, targets

    def _tile(self, item: Item) -> Tile:
        try:
            return self._source.tile(item.path, self._limits)
        except HealerError as error:
            raise TileUnusable(item.path, str(error)) from error


def answer_ids(gemma: Gemma, model_id: str, *, truth: bool) -> list[int]:
    """The answer's one token, which the engine counts, and the end of the turn."""
    text = SPELLINGS[truth] + END_OF_TURN
    ids: list[int] = gemma.tokenizer.encode(text, add_special_tokens=False)
    counted = gemma.answers.yes if truth else gemma.answers.no
    if len(ids) != 2 or ids[0] not in counted or ids[1] not in gemma.stops:
        raise ModelUnsound(model_id, f"its tokenizer writes {text} as {ids}, not as two tokens")
    return ids
