"""Evaluating and calibrating."""

from __future__ import annotations

from dataclasses import dataclass

from healer.errors.base import HealerError


@dataclass(eq=False)
class DatasetError(HealerError):
    code = "dataset_failed"
    title = "The dataset cannot be used"
    message = "The dataset cannot be used."
    exit_code = 40


@dataclass(eq=False)
class DatasetNotFound(DatasetError):
    dataset: str
    advice: str
    code = "dataset_not_found"
    title = "No such dataset"
    message = "{dataset} is not there. {advice}."
    exit_code = 41


@dataclass(eq=False)
class DatasetUnreadable(DatasetError):
    file: str
    reason: str
    code = "dataset_unreadable"
    title = "The dataset cannot be read"
    message = (
        "{file} cannot be read as a dataset ({reason}). Give a folder with one folder a class, "
        "an index.csv with the columns path and label, or an archive of either."
    )
    exit_code = 42


@dataclass(eq=False)
class LabelUnknown(DatasetError):
    labels: str
    code = "label_unknown"
    title = "A class is neither yes nor no"
    message = (
        "Healer does not know which of these classes are cancer: {labels}. Say so with --yes "
        "CLASS, once for each that is (every other one is then no); --ignore CLASS leaves one out."
    )
    exit_code = 43


@dataclass(eq=False)
class DownloadRefused(DatasetError):
    dataset: str
    reason: str
    page: str
    code = "download_refused"
    title = "Healer does not download this dataset"
    message = (
        "{dataset} is not downloaded: {reason}. Get it from {page} and give the path of its "
        "folder or archive."
    )
    exit_code = 44


@dataclass(eq=False)
class DatasetUnreachable(DatasetError):
    url: str
    reason: str
    code = "dataset_unreachable"
    title = "The publisher cannot be reached"
    message = (
        "{url} cannot be fetched ({reason}). Check the network and proxy, then run this again: "
        "it goes on where it stopped."
    )
    exit_code = 45


@dataclass(eq=False)
class DatasetDamaged(DatasetError):
    file: str
    reason: str
    code = "dataset_damaged"
    title = "The dataset arrived damaged"
    message = "{file} arrived damaged ({reason}) and was deleted. Run this again to fetch it."
    exit_code = 46


@dataclass(eq=False)
class ArchiveUnsafe(DatasetError):
    file: str
    member: str
    reason: str
    code = "archive_unsafe"
    title = "The archive is not safe to unpack"
    message = (
        "{file} holds {member}, which {reason}; nothing of it was kept. Get the archive from its "
        "publisher, or unpack it yourself and give the folder."
    )
    exit_code = 47


@dataclass(eq=False)
class ResultsMismatch(DatasetError):
    file: str
    reason: str
    code = "results_mismatch"
    title = "The results belong to something else"
    message = "{file} cannot be used here: {reason}. Give another folder or file."
    exit_code = 48


@dataclass(eq=False)
class NotCalibratable(DatasetError):
    reason: str
    code = "not_calibratable"
    title = "No calibration can be fitted"
    message = (
        "It would not hold: {reason}. Use more tiles or slides of known answer, or another model."
    )
    exit_code = 49


@dataclass(eq=False)
class TilesMissing(DatasetError):
    dataset: str
    missing: int
    listed: int
    examples: str
    code = "tiles_missing"
    title = "Listed tiles are not there"
    message = (
        "{missing:,} of the {listed:,} paths that {dataset} lists name no file there ({examples}). "
        "A path is absolute, or relative to the folder of the list: mend the list, or put the "
        "files there."
    )
    exit_code = 51


@dataclass(eq=False)
class EvalNotInstalled(DatasetError):
    reason: str
    code = "eval_not_installed"
    title = "The evaluation libraries are not installed"
    message = (
        "Evaluation and calibration need libraries that are missing ({reason}). "
        "Install them with: pip install 'healer[eval]'"
    )
    exit_code = 50


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
