"""Answering for whole archives."""

from __future__ import annotations

from dataclasses import dataclass

from healer.errors.base import HealerError


@dataclass(eq=False)
class ArchiveError(HealerError):
    code = "archive_failed"
    title = "The archive cannot be answered"
    message = "The archive cannot be answered."
    exit_code = 80


@dataclass(eq=False)
class ListingUnreadable(ArchiveError):
    source: str
    reason: str
    code = "listing_unreadable"
    title = "The list of tiles cannot be read"
    message = (
        "{source} cannot be read as a list of tiles ({reason}). Give a folder of pictures, a CSV "
        "file with the column path, or a Parquet file with the column path or image."
    )
    exit_code = 81


@dataclass(eq=False)
class OutputTaken(ArchiveError):
    output: str
    reason: str
    code = "output_taken"
    title = "The output is taken"
    message = "{output} {reason}. Move it away, or choose another --output."
    exit_code = 82


@dataclass(eq=False)
class RunMismatch(ArchiveError):
    folder: str
    differs: str
    code = "run_mismatch"
    title = "The answers kept belong to another run"
    message = (
        "{folder} keeps the answers of a run that differs in {differs}, and one file must not mix "
        "them. Repeat the command that started it, choose another --output, or delete the folder "
        "to start again."
    )
    exit_code = 83


@dataclass(eq=False)
class AnswersNotWritable(ArchiveError):
    output: str
    reason: str
    code = "answers_not_writable"
    title = "The answers cannot be written"
    message = (
        "{output} cannot be written: {reason}. Mend that and repeat the command: it goes on where "
        "it stopped."
    )
    exit_code = 84


@dataclass(eq=False)
class ArchivesNotInstalled(ArchiveError):
    reason: str
    code = "archives_not_installed"
    title = "The libraries for archives are not installed"
    message = (
        "Answering for archives needs libraries that are missing ({reason}). "
        "Install them with: pip install 'healer[ray]'"
    )
    exit_code = 85


@dataclass(eq=False)
class RayUnavailable(ArchiveError):
    where: str
    reason: str
    advice: str
    code = "ray_unavailable"
    title = "Ray is not available"
    message = "Ray cannot be used {where} ({reason}). {advice}."
    exit_code = 86


@dataclass(eq=False)
class WorkersFailed(ArchiveError):
    reason: str
    code = "workers_failed"
    title = "The workers failed"
    message = (
        "The run stopped because {reason}. What was answered is kept: repeat the command and it "
        "goes on from there; healer predict on one of the tiles shows whether they can be answered "
        "at all."
    )
    exit_code = 87


@dataclass(eq=False)
class TileNotAnswered(ArchiveError):
    reason: str
    code = "tile_not_answered"
    title = "The tile could not be answered"
    message = (
        "No answer could be had for this tile, although it was tried alone: {reason}. See what "
        "healer predict says of it."
    )
    exit_code = 88
