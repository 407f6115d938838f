"""Fine-tuning."""

from __future__ import annotations

from dataclasses import dataclass

from healer.errors.base import HealerError


@dataclass(eq=False)
class TuningError(HealerError):
    code = "tuning_failed"
    title = "The model cannot be tuned"
    message = "The model cannot be tuned."
    exit_code = 60


@dataclass(eq=False)
class TooFewCases(TuningError):
    dataset: str
    reason: str
    code = "too_few_cases"
    title = "The dataset cannot be split by case"
    message = (
        "{dataset} cannot be split into training and validation without parting a case: "
        "{reason}. Add cases of the rarer answer."
    )
    exit_code = 61


@dataclass(eq=False)
class TileUnusable(TuningError):
    path: str
    reason: str
    code = "tile_unusable"
    title = "A training tile cannot be read"
    message = "{path} cannot be read: {reason} Repair it or take it out, and start a new run."
    exit_code = 62


@dataclass(eq=False)
class FolderTaken(TuningError):
    folder: str
    reason: str
    code = "folder_taken"
    title = "The output folder is taken"
    message = "{folder} {reason}. Choose another --out."
    exit_code = 63


@dataclass(eq=False)
class CheckpointUnusable(TuningError):
    file: str
    reason: str
    code = "checkpoint_unusable"
    title = "The run cannot be resumed"
    message = (
        "{file} cannot be resumed from: {reason}. Repeat the command that began the run with "
        "--resume, or choose another --out."
    )
    exit_code = 64


@dataclass(eq=False)
class TuningDiskFull(TuningError):
    folder: str
    needed_bytes: int
    free_bytes: int
    code = "tuning_disk_full"
    title = "Not enough disk space to tune"
    message = (
        "{folder} needs {needed_bytes:,} bytes and the disk has {free_bytes:,} free. Free some "
        "space or set --out to a larger disk."
    )
    exit_code = 65


@dataclass(eq=False)
class TuningDiverged(TuningError):
    step: int
    code = "tuning_diverged"
    title = "The training diverged"
    message = (
        "At step {step} the loss or its gradient is not a finite number. Start again with a lower "
        "--learning-rate."
    )
    exit_code = 66
