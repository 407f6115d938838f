from __future__ import annotations

import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from healer.engines.vlm.adapter import WEIGHTS
from healer.errors import CheckpointUnusable, FolderTaken, TuningDiskFull, TuningDiverged
from healer.evaluation.datasets import Dataset, Files
from healer.tuning.lora import check_disk
from healer.tuning.run import LOSS_PLOT, LOSSES, Run, claim, read_losses
from healer.tuning.train import CHECKPOINT_FILE as CHECKPOINT
from healer.tuning.train import Step
from tests.conftest import REPO
from tests.tuning.conftest import RECIPE, job_of

Finished = tuple[Path, list[Step]]


def test_the_loss_falls(finished: Finished) -> None:
    losses = [step.loss for step in finished[1]]
    assert len(losses) == 16
    assert losses[0] > 1
    assert max(losses[-4:]) < 0.2


def test_the_rate_rises_then_falls_in_a_line(finished: Finished) -> None:
    rates = [step.learning_rate for step in finished[1]]
    assert rates[0] == 0  # one step of sixteen warms up
    assert rates[1] == RECIPE.learning_rate
    falls = [one - other for one, other in pairwise(rates[1:])]
    assert falls == pytest.approx([RECIPE.learning_rate / 15] * 14)


def test_the_loss_is_logged_and_drawn(finished: Finished) -> None:
    folder, steps = finished
    rows = read_losses(folder / LOSSES)
    assert [row["step"] for row in rows] == [step.step for step in steps]
    assert [row["loss"] for row in rows] == [step.loss for step in steps]
    assert (folder / LOSS_PLOT).read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_weights(
    base: Path, tiles: Dataset, finished: Finished, tmp_path: Path
) -> None:
    assert isinstance(tiles.source, Files)
    command = ["tests.tuning.killed", str(base), str(tiles.source.folder), str(tmp_path), "7"]
    killed = subprocess.run([sys.executable, "-m", *command], cwd=REPO, check=False)
    assert killed.returncode == -signal.SIGKILL
    assert len(read_losses(tmp_path / LOSSES)) == 7
    run = Run(job_of(base, tiles, tmp_path))
    assert run.trainer.done == 6  # the seventh was taken in vain
    resumed = list(run.steps())
    run.save()
    whole, steps = finished
    assert [step.step for step in resumed] == list(range(7, 17))
    assert [step.loss for step in resumed] == pytest.approx([step.loss for step in steps[6:]])
    assert [row["step"] for row in read_losses(tmp_path / LOSSES)] == list(range(1, 17))
    ours, theirs = (load_file(folder / "adapter" / WEIGHTS) for folder in (tmp_path, whole))
    assert ours.keys() == theirs.keys()
    for name, tensor in ours.items():
        assert torch.allclose(tensor, theirs[name], atol=1e-6), name


def test_a_finished_run_has_no_step_left(base: Path, tiles: Dataset, finished: Finished) -> None:
    run = Run(job_of(base, tiles, finished[0]))
    assert list(run.steps()) == []
    assert len(read_losses(finished[0] / LOSSES)) == 16


def test_a_checkpoint_of_another_recipe_is_refused(
    base: Path, tiles: Dataset, finished: Finished
) -> None:
    other = RECIPE.model_copy(update={"learning_rate": 1e-4, "seed": 3})
    with pytest.raises(CheckpointUnusable, match="another learning_rate and seed and dataset"):
        Run(job_of(base, tiles, finished[0], other))


@pytest.mark.parametrize("content", [b"", b"nonsense", b"PK\x03\x04 cut short"])
def test_a_damaged_checkpoint_is_refused(
    base: Path, tiles: Dataset, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / CHECKPOINT).write_bytes(content)
    with pytest.raises(CheckpointUnusable, match="damaged"):
        Run(job_of(base, tiles, tmp_path))


def test_a_loss_that_is_no_number_stops_the_run(base: Path, tiles: Dataset, tmp_path: Path) -> None:
    run = Run(job_of(base, tiles, tmp_path))
    with torch.no_grad():
        next(iter(run.trainer._parameters)).fill_(float("nan"))
    with pytest.raises(TuningDiverged, match="At step 1 "):
        next(run.steps())
    assert not (tmp_path / CHECKPOINT).exists()


def test_a_folder_in_use_is_left_alone(base: Path, tiles: Dataset, tmp_path: Path) -> None:
    job = job_of(base, tiles, tmp_path / "run")
    (job.folder / "thesis.txt").write_text("mine")
    with pytest.raises(FolderTaken, match="--resume"):
        claim(job, resume=False)
    claim(job, resume=True)


def test_a_full_disk_is_reported_before_anything_is_read(
    base: Path, tiles: Dataset, tmp_path: Path
) -> None:
    huge = RECIPE.model_copy(update={"rank": 10**9})
    with pytest.raises(TuningDiskFull, match="bytes and the disk has"):
        claim(job_of(base, tiles, tmp_path, huge), resume=False)
    with pytest.raises(TuningDiskFull):
        check_disk(tmp_path, 10**18)
