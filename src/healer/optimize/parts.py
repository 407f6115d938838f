"""The finished parts of a conversion, so that a killed run goes on where it stopped."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from healer import manifest
from healer.manifest import ManifestFile

Files = tuple[ManifestFile, ...]


class Part(BaseModel):
    """`binding` is a hash of everything that the files depend on."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    binding: str
    files: Files


class Parts:
    """Kept in `folder`; a part's record is written once its files are whole. All of them depend
    on `common`."""

    def __init__(self, folder: Path, common: object) -> None:
        self._folder, self._common = folder, common

    def make(
        self, name: str, files: tuple[str, ...], write: Callable[[], None], *more: object
    ) -> Files:
        """The part as an earlier run left it, or else as `write` writes it; `more` is what it
        depends on besides."""
        binding = hashlib.sha256(repr((self._common, more)).encode()).hexdigest()
        record = self._folder / f"{manifest.OURS}part-{name}.json"
        if (kept := self._kept(record)) is not None and kept.binding == binding:
            return kept.files
        record.unlink(missing_ok=True)
        write()
        made = Part(binding=binding, files=tuple(listed(self._folder / file) for file in files))
        manifest.put(record, made)
        return made.files

    def _kept(self, record: Path) -> Part | None:
        """A part whose files are still what they were."""
        try:
            part = Part.model_validate_json(record.read_bytes())
        except (FileNotFoundError, ValidationError):
            return None
        return part if all(self._is_whole(file) for file in part.files) else None

    def _is_whole(self, file: ManifestFile) -> bool:
        path = self._folder / file.name
        return path.is_file() and listed(path) == file


def listed(path: Path) -> ManifestFile:
    """Flushed to the disk first: a record must not outlive what it vouches for."""
    with path.open("rb") as stream:
        os.fsync(stream.fileno())
    size, sha256 = path.stat().st_size, manifest.sha256_of(path)
    return ManifestFile(name=path.name, size=size, sha256=sha256)
