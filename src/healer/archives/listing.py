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

from healer.errors import ListingUnreadable
from healer.outcomes import Embedded, find_images

NAMES = ("path", "file")
IMAGE = "image"
READ_ROWS = 64


class Source(Protocol):
    def tiles(self, start: int, names: Sequence[str]) -> Iterable[Path | Embedded]:
        """The tiles of rows `start` and on, in order; read where they are asked for."""
        ...


@dataclass(frozen=True, slots=True)
class Files:
    """Names are paths below `folder`, or absolute."""

    folder: Path

    def tiles(self, start: int, names: Sequence[str]) -> Iterator[Path | Embedded]:  # noqa: ARG002
        return (self.folder / name for name in names)


@dataclass(frozen=True, slots=True)
class Pictures:
    """Encoded pictures in a column of a Parquet file: bytes, or a struct with the field bytes."""

    file: Path

    def tiles(self, start: int, names: Sequence[str]) -> Iterator[Path | Embedded]:
        pictures = read_rows(self.file, start, start + len(names))
        for name, picture in zip(names, pictures, strict=True):
            data = picture["bytes"] if isinstance(picture, dict) else picture
            yield Embedded(Path(name), data or b"")


@dataclass(frozen=True)
class Listing:
    """Tiles by name, in the order of their answers. `size` is that of the file of pictures."""

    names: Sequence[str] = field(repr=False)
    source: Source
    size: int = 0

    @property
    def fingerprint(self) -> str:
        """Changes with any name, and with their order."""
        digest = hashlib.sha256(f"{len(self.names)} {self.size}".encode())
        for name in self.names:
            digest.update(name.encode() + b"\0")
        return digest.hexdigest()[:16]


def read(path: Path) -> Listing:
    """Raises ListingUnreadable."""
    path = path.absolute()
    if path.is_dir():
        listing = Listing(
            [str(file.relative_to(path)) for file in find_images([path])], Files(path)
        )
    elif path.suffix.lower() == ".csv":
        listing = Listing(list(_csv_names(path)), Files(path.parent))
    elif path.suffix.lower() in (".parquet", ".pq"):
        listing = _parquet(path)
    else:
        reason = "it is neither" if path.exists() else "it is not there"
        raise ListingUnreadable(path.name, reason)
    if not listing.names:
        raise ListingUnreadable(path.name, "it holds no tiles")
    _writable(path, listing.names)
    return listing


def _csv_names(path: Path) -> Iterator[str]:
    try:
        with path.open(newline="", encoding="utf-8-sig") as lines:
            table = csv.DictReader(lines)
            column = _column(path, table.fieldnames or ())
            for line in table:
                if not line[column]:
                    reason = f"line {table.line_num} has no {column}"
                    raise ListingUnreadable(path.name, reason)
                yield line[column]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ListingUnreadable(path.name, _why(error)) from None


def _parquet(path: Path) -> Listing:
    try:
        with pq.ParquetFile(path) as file:
            columns = file.schema_arrow
            if IMAGE in columns.names:
                names = _picture_names(file, columns)
                return Listing(names, Pictures(path), path.stat().st_size)
            column = _column(path, columns.names)
            names = file.read([column]).column(0).to_pylist()
    except (OSError, pa.ArrowException) as error:
        raise ListingUnreadable(path.name, _why(error)) from None
    if not all(isinstance(name, str) and name for name in names):
        raise ListingUnreadable(path.name, f"a row has no text in its column {column}")
    return Listing(names, Files(path.parent))


def _picture_names(file: pq.ParquetFile, columns: pa.Schema) -> list[str]:
    """Pictures need no name: their row says which one is meant."""
    wanted = next((name for name in NAMES if name in columns.names), f"{IMAGE}.path")
    table = file.read([wanted])
    if not table.num_columns:
        return [""] * file.metadata.num_rows
    values = table.column(0).to_pylist()
    found = (each.get("path") if isinstance(each, dict) else each for each in values)
    return [str(name or "") for name in found]


def read_rows(path: Path, start: int, stop: int) -> Iterator[bytes | dict[str, bytes] | None]:
    """Rows `start` to `stop` of the pictures' column, without holding a whole row group."""
    with pq.ParquetFile(path) as file:
        first = 0
        for group in range(file.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            if first < stop and start < first + rows:
                yield from _group_rows(file, group, max(0, start - first), min(rows, stop - first))
            first += rows


def _group_rows(
    file: pq.ParquetFile, group: int, start: int, stop: int
) -> Iterator[bytes | dict[str, bytes] | None]:
    at = 0
    for batch in file.iter_batches(READ_ROWS, row_groups=[group], columns=[IMAGE]):
        if at >= stop:
            return
        if at + batch.num_rows > start:
            begin = max(0, start - at)
            yield from batch.column(0).slice(begin, stop - at - begin).to_pylist()
        at += batch.num_rows


def _column(path: Path, columns: Sequence[str]) -> str:
    found = next((name for name in NAMES if name in columns), None)
    if found is None:
        raise ListingUnreadable(path.name, "it has no column path")
    return found


def _writable(path: Path, names: Sequence[str]) -> None:
    for row, name in enumerate(names):
        try:
            name.encode()
        except UnicodeEncodeError:
            raise ListingUnreadable(path.name, f"the name in row {row} is not UTF-8") from None


def _why(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return f"it is damaged: {type(error).__name__}"
