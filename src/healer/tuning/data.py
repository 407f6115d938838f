"""Which tiles are learnt from, in which order, and what the model sees and should say."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

from healer.errors.base import HealerError
from healer.errors.engine import ModelUnsound
from healer.errors.evaluation import DatasetUnreadable, TileUnusable, TooFewCases
from healer.evaluation.bootstrap import Rows, by_case
from healer.evaluation.datasets import Dataset, Files, Item, Limits

if TYPE_CHECKING:
    from healer.engines.transformers.model import Gemma
    from healer.images.tile import Tile
    from healer.tuning.train import Recipe

END_OF_TURN = "<end_of_turn>"
SPELLINGS = {True: "Yes", False: "No"}
Inputs = dict[str, torch.Tensor]


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
    """Prompts exactly as the engine asks them, each with the answer it should score highest."""

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
        given = targets[:, :1]
        inputs["input_ids"] = torch.cat([ids, given], dim=1)
        for name, value in (("attention_mask", 1), ("token_type_ids", 0)):
            inputs[name] = torch.cat([inputs[name], torch.full_like(given, value)], dim=1)
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
