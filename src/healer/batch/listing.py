"""Which tiles an archive holds: a folder, a CSV file or a Parquet file of names or pictures."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pyarrow as pa
import pyarrow.parquet as pq

from healer.batch.parquet import PATH, Pictures, holds_bytes, opened, own_paths, texts
from healer.display import examples
from healer.errors.batch import ListingUnreadable
from healer.files.spelling import Resolver, to_bytes
from healer.files.table import column_of, read_heading, read_rows
from healer.files.walk import LeftOut, walk
from healer.outcomes import Embedded

IMAGE = "image"


class Source(Protocol):
    def tiles(self, start: int, names: Sequence[str]) -> Iterable[Path | Embedded]:
        """The tiles of rows `start` and on, in order; read lazily."""
        ...


@dataclass(frozen=True, slots=True)
class Files:
    """Names are paths below `folder`, or absolute."""

    folder: Path

    def tiles(self, start: int, names: Sequence[str]) -> Iterator[Path | Embedded]:  # noqa: ARG002
        return (self.folder / name for name in names)


@dataclass(frozen=True)
class Listing:
    """Tiles by name, in the order of their answers. `size` is that of the file of pictures;
    `missing` are listed names of no file, `left_out` files that a walk skipped."""

    names: Sequence[str] = field(repr=False)
    source: Source
    size: int = 0
    missing: Sequence[str] = field(default=(), repr=False)
    left_out: LeftOut = field(default_factory=LeftOut)

    @property
    def fingerprint(self) -> str:
        """Changes with any name, and with their order."""
        digest = hashlib.sha256(f"{len(self.names)} {self.size}".encode())
        for name in self.names:
            digest.update(to_bytes(name) + b"\0")
        return digest.hexdigest()[:16]

    def notes(self) -> Iterator[str]:
        """Remarks that belong with the answers."""
        if self.left_out:
            yield str(self.left_out)
        if self.missing:
            yield (
                f"{len(self.missing):,} of {len(self.names):,} listed paths name no file there "
                f"({examples(self.missing)})."
            )


def read_listing(path: Path) -> Listing:
    """Raises ListingUnreadable."""
    path = path.absolute()
    if path.is_dir():
        listing = _folder(path)
    elif path.suffix.lower() == ".csv":
        listing = _named(path, _csv_names(path))
    elif path.suffix.lower() in (".parquet", ".pq"):
        listing = _parquet(path)
    else:
        reason = "it is neither" if path.exists() else "it is not there"
        raise ListingUnreadable(path.name, reason)
    if not listing.names:
        reason = f"it holds no tiles. {listing.left_out}".strip().removesuffix(".")
        raise ListingUnreadable(path.name, reason)
    return listing


def _folder(path: Path) -> Listing:
    walked = walk(path)
    names = [str(file.relative_to(path)) for file in walked.files]
    return Listing(names, Files(path), left_out=walked.left_out)


def _named(path: Path, written: Iterable[str]) -> Listing:
    """Names as they are written on the disk; those of no file as they are listed."""
    resolver = Resolver(path.parent)
    names, missing = [], []
    for name in written:
        on_disk = resolver.find(name)
        if on_disk is None:
            missing.append(name)
        names.append(on_disk or name)
    return Listing(names, Files(path.parent), missing=missing)


def _csv_names(path: Path) -> Iterator[str]:
    try:
        column = column_of(read_heading(path))
        if column is None:
            raise ListingUnreadable(path.name, "it has no column path")
        for number, line in read_rows(path):
            if not line[column].strip():
                raise ListingUnreadable(path.name, f"line {number} has no {column}")
            yield line[column]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ListingUnreadable(path.name, why(error)) from None


def _parquet(path: Path) -> Listing:
    try:
        with opened(path) as file:
            return _rows(path, file)
    except (OSError, pa.ArrowException) as error:
        raise ListingUnreadable(path.name, why(error)) from None


def _rows(path: Path, file: pq.ParquetFile) -> Listing:
    schema = file.schema_arrow
    image, named = column_of(schema.names, (IMAGE,)), column_of(schema.names)
    if image and holds_bytes(schema, image, path.name):
        names = texts(file, named, path.name) if named else own_paths(file, image)
        return Listing(names, Pictures(path, image), path.stat().st_size)
    if image:
        written, column = own_paths(file, image), f"{image}.{PATH}"
    elif named:
        written, column = texts(file, named, path.name), named
    else:
        raise ListingUnreadable(path.name, "it has no column path")
    if not all(written):
        raise ListingUnreadable(path.name, f"a row has no text in its column {column}")
    return _named(path, written)


def why(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    if isinstance(error, csv.Error):
        return str(error)
    return f"it is damaged: {type(error).__name__}"
