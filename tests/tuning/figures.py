"""The figures in docs/tuning.md: `python -m tests.tuning.figures`."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import torch

from healer.evaluation.datasets import read_dataset
from healer.evaluation.published import LabelMapping
from healer.tuning.data import split
from healer.tuning.run import Run
from tests.gemma import make_checkpoint
from tests.tuning.conftest import RECIPE, engine_of, job_of, margins_of
from tests.tuning.tiles import write_tiles


def main(folder: Path) -> None:
    torch.set_num_threads(1)
    base = make_checkpoint(folder / "base", taught=True)
    tiles = read_dataset(write_tiles(folder / "tiles"), LabelMapping.of(["cancer"], []))
    run = Run(job_of(base, tiles, folder / "run"))
    losses = [step.loss for step in run.steps()]
    run.save()
    run.close()
    unseen = split(tiles, RECIPE).validation
    found = [margins_of(engine_of(base, each), unseen) for each in (None, folder / "run/adapter")]
    rows = [f"| loss, first and last step | {losses[0]:.3f} | {losses[-1]:.3f} |"]
    for name, answer in (("cancer", True), ("benign", False)):
        cells = [span(margins, [i.positive is answer for i in unseen.items]) for margins in found]
        rows.append(f"| margins of {name} tiles | {cells[0]} | {cells[1]} |")
    right = [
        sum((m > 0) == i.positive for m, i in zip(margins, unseen.items, strict=True))
        for margins in found
    ]
    rows.append(f"| right answers of {len(unseen.items)} | {right[0]} | {right[1]} |")
    sys.stdout.write("\n".join(rows) + "\n")


def span(margins: list[float], chosen: list[bool]) -> str:
    expected_margins = [
        margin for margin, expected in zip(margins, chosen, strict=True) if expected
    ]
    return f"{min(expected_margins):+.2f} to {max(expected_margins):+.2f}"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        main(Path(made))
