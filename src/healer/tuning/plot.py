"""The loss of a run: a CSV file that grows with it, and a picture of that."""

from __future__ import annotations

import csv
from dataclasses import asdict, fields
from pathlib import Path

import numpy as np

from healer.tuning.train import Step

NAME, PICTURE = "loss.csv", "loss.png"
COLUMNS = tuple(field.name for field in fields(Step))
SMOOTHED = 20  # steps


class LossLog:
    """Goes on after step `done`: rows of steps that a killed run took in vain are dropped."""

    def __init__(self, folder: Path, done: int) -> None:
        self._file = folder / NAME
        kept = [row for row in read_losses(self._file) if row["step"] <= done]
        with self._file.open("w", newline="", encoding="utf-8") as out:
            table = csv.DictWriter(out, COLUMNS, lineterminator="\n")
            table.writeheader()
            table.writerows(kept)

    def add(self, step: Step) -> None:
        with self._file.open("a", newline="", encoding="utf-8") as out:
            csv.DictWriter(out, COLUMNS, lineterminator="\n").writerow(asdict(step))


def read_losses(file: Path) -> list[dict[str, float]]:
    if not file.is_file():
        return []
    with file.open(newline="", encoding="utf-8") as rows:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(rows)]


def draw_losses(folder: Path) -> None:
    from matplotlib.figure import Figure

    rows = read_losses(folder / NAME)
    steps, losses = [row["step"] for row in rows], np.array([row["loss"] for row in rows])
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(steps, losses, color="0.75", label="each step")
    width = min(SMOOTHED, max(1, len(losses) // 4))
    means = np.convolve(losses, np.full(width, 1 / width), mode="valid")
    axes.plot(steps[width - 1 :], means, color="tab:red", label=f"mean of {width} steps")
    axes.set(xlabel="step", ylabel="loss (nats a token)", ylim=(0, None))
    axes.legend()
    figure.savefig(folder / PICTURE, dpi=120)
