"""A request to convert, whether there is room for it, and the parts finished so far."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from healer.conversion.checkpoint import EMBEDDING, Checkpoint
from healer.engines.base import Question
from healer.engines.openvino.conversion_record import Tolerance, Weights
from healer.errors.engine import ConversionDiskFull, MemoryTooSmall
from healer.files.disk import StoredRecord, save_record
from healer.hardware import free_memory
from healer.images.tile import Tile
from healer.weights.manifest import OURS, ManifestFile, record_of

# Plain bfloat16 moves logits near 20 by up to 0.06, and a margin by twice that. Eight bits may
# cost as much again; four are known to cost more, and are the user's choice.
TOLERANCES = {
    "int8": Tolerance(shift=0.25, divergence=0.02, regret=0.25),
    "int4": Tolerance(shift=1.0, divergence=0.25, regret=1.0),
}
# Bytes a weight takes with its scales; int4 leaves embedding and vision in eight bits.
STORED = {"int8": 1.02, "int4": 0.57}
TEXT_LAYER = re.compile(r"language_model\.layers\.")
SMALL = 4_000_000  # the graphs themselves, the float32 logits of the tiles and the record
# The stage, steps done, steps in all.
Files = tuple[ManifestFile, ...]
OnConversionProgress = Callable[[str, int, int], None]


def no_progress(_stage: str, _done: int, _total: int) -> None:
    """Report nothing."""


@dataclass(frozen=True, slots=True)
class Sample:
    name: str
    tile: Tile


@dataclass(frozen=True, slots=True)
class ConversionRequest:
    """What to convert to what, and the tiles it is then verified on."""

    source: Path
    out: Path
    question: Question
    samples: tuple[Sample, ...]
    weights: Weights = "int8"
    on_progress: OnConversionProgress = no_progress
    tolerance: Tolerance | None = None  # that of `weights` where None

    @property
    def work(self) -> Path:
        """Beside `out`, so that it becomes `out` in one step."""
        return self.out.with_name(f"{self.out.name}.partial")

    @property
    def allowed(self) -> Tolerance:
        return self.tolerance or TOLERANCES[self.weights]

    def steps(self, stage: str, total: int) -> Callable[[], None]:
        """To be called after each step of a stage."""
        done = 0

        def step() -> None:
            nonlocal done
            done += 1
            self.on_progress(stage, done, total)

        return step


class Part(StoredRecord):
    """`binding` is a hash of everything that the files depend on."""

    binding: str
    files: Files


class Parts:
    """Stored in `folder`; a part's record is written once its files are whole. All of them depend
    on `common`."""

    def __init__(self, folder: Path, common: object) -> None:
        self._folder, self._common = folder, common

    def make(
        self, name: str, files: tuple[str, ...], write: Callable[[], None], *more: object
    ) -> Files:
        """The part as an earlier run left it, or else as `write` writes it; `more` is what it
        depends on besides."""
        binding = hashlib.sha256(repr((self._common, more)).encode()).hexdigest()
        record = self._folder / f"{OURS}part-{name}.json"
        if (part := self._whole_part(record)) is not None and part.binding == binding:
            return part.files
        record.unlink(missing_ok=True)
        write()
        made = Part(
            binding=binding, files=tuple(file_record(self._folder / file) for file in files)
        )
        save_record(record, made)
        return made.files

    def _whole_part(self, record: Path) -> Part | None:
        """The recorded part, where its files are unchanged."""
        try:
            part = Part.model_validate_json(record.read_bytes())
        except (FileNotFoundError, ValidationError):
            return None
        return part if all(self._is_whole(file) for file in part.files) else None

    def _is_whole(self, file: ManifestFile) -> bool:
        path = self._folder / file.name
        return path.is_file() and file_record(path) == file


def file_record(path: Path) -> ManifestFile:
    """Flushed to the disk first: a record must not outlive its file."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
    return record_of(path)


def check_disk(folder: Path, needed: int) -> None:
    """Raises ConversionDiskFull; `folder` exists."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise ConversionDiskFull(str(folder), needed, free)


def check_memory(model_id: str, needed: int) -> None:
    """Raises MemoryTooSmall."""
    free = free_memory()
    if free < needed:
        raise MemoryTooSmall(model_id, needed, free)


def stored_bytes(checkpoint: Checkpoint, weights: Weights) -> int:
    """About how many bytes the converted folder takes."""
    layers = sum(map(checkpoint.count, filter(TEXT_LAYER.match, checkpoint.names)))
    others = sum(map(checkpoint.count, checkpoint.names)) - layers
    return int(layers * STORED[weights] + others * STORED["int8"]) + SMALL


def working_bytes(checkpoint: Checkpoint, weights: Weights) -> int:
    """About the most bytes of memory that are held at once: converting, in float32, or serving."""
    embedding = 4 * checkpoint.count(EMBEDDING)
    return max(stored_bytes(checkpoint, weights), embedding) + embedding // 2
