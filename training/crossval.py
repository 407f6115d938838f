"""The members: one network per fold and repeat, each with its own seed, kept under `runs/`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from healer.evaluation.shifts import SHIFTS
from training.data import OUTPUTS, Tiles, folds
from training.fit import Recipe, fit, predict
from training.network import Network, laid_out

FOLDS = 4


@dataclass(frozen=True)
class Member:
    """One fold of one repeat; a repeat has its own split, a member its own seed."""

    repeat: int
    fold: int

    @property
    def seed(self) -> int:
        return 100 * self.repeat + self.fold

    def file(self, runs: Path, cycle: int) -> Path:
        return runs / f"member-{self.repeat}-{self.fold}-cycle-{cycle}.pt"


def members(repeats: int) -> list[Member]:
    return [Member(repeat, fold) for repeat in range(repeats) for fold in range(FOLDS)]


def rows_of(tiles: Tiles, member: Member) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows this member trains on, and rows whose cases it never sees."""
    return list(folds(tiles, FOLDS, seed=member.repeat))[member.fold]


def train(tiles: Tiles, recipe: Recipe, repeats: int, runs: Path) -> None:
    """Trains what is not there yet, so that a stopped run goes on where it was."""
    runs.mkdir(parents=True, exist_ok=True)
    with bars() as progress:
        for member in members(repeats):
            train_member(tiles, recipe, member, runs, progress)


def train_member(
    tiles: Tiles, recipe: Recipe, member: Member, runs: Path, progress: Progress
) -> None:
    """Cycle after cycle, each from the averaged weights of the last."""
    rows, _ = rows_of(tiles, member)
    for cycle in range(recipe.cycles):
        if not member.file(runs, cycle).exists():
            start = read(member, recipe, runs, cycle - 1) if cycle else None
            title = f"repeat {member.repeat} fold {member.fold} cycle {cycle}"
            seed = member.seed + 1000 * cycle
            network = fit(tiles.take(rows), recipe, seed, progress, title, start, cycle)
            torch.save(network.state_dict(), member.file(runs, cycle))


def bars() -> Progress:
    return Progress(
        TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn(), TimeRemainingColumn()
    )


def read(member: Member, recipe: Recipe, runs: Path, cycle: int | None = None) -> Network:
    """A trained member, by default after its last cycle."""
    network = Network(recipe.neck)
    file = member.file(runs, recipe.cycles - 1 if cycle is None else cycle)
    network.load_state_dict(torch.load(file, weights_only=True))
    return laid_out(network.eval(), torch.channels_last)


def out_of_fold(
    tiles: Tiles, recipe: Recipe, repeats: int, runs: Path, shift: str
) -> NDArray[np.float32]:
    """Log-probabilities (n, 7), averaged over the members that never saw the tile's case."""
    total = np.zeros((len(tiles), OUTPUTS), np.float32)
    for member in members(repeats):
        _, rows = rows_of(tiles, member)
        seen = np.stack([SHIFTS[shift](tile) for tile in tiles.pixels[rows]])
        total[rows] += predict(read(member, recipe, runs), seen)
    return renormalised(total / repeats)


def renormalised(scores: NDArray[np.floating]) -> NDArray[np.float32]:
    return np.asarray(scores - np.logaddexp.reduce(scores, axis=1, keepdims=True), np.float32)
