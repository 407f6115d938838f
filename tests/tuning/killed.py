"""A run that is killed after N steps: `python -m tests.tuning.killed BASE TILES OUT N`."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import torch

from healer.evaluation.datasets import read_dataset
from healer.evaluation.published import LabelMapping
from healer.tuning.run import Run
from tests.tuning.conftest import job_of


def main(base: str, tiles: str, out: str, steps: str) -> None:
    torch.set_num_threads(1)
    dataset = read_dataset(Path(tiles), LabelMapping.of(["cancer"], []), "synthetic")
    run = Run(job_of(Path(base), dataset, Path(out)))
    for step in run.steps():
        if step.step == int(steps):
            os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main(*sys.argv[1:])
