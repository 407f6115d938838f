"""Parquet files of names, or of pictures as published datasets keep them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from healer.errors.batch import ListingUnreadable
from healer.files.spelling import Resolver, from_bytes
from healer.outcomes import Embedded

READ_ROWS = 64
BYTES, PATH = "bytes", "path"
PICTURES_WANTED = (
    "encoded pictures: binary, or a struct with the field bytes (binary), path (string) or both; "
    "names of files belong into a column path"
)
TEXT_WANTED = "text: string, or binary for names that are no UTF-8"
BINARY = (
    pa.types.is_binary,
    pa.types.is_large_binary,
    pa.types.is_binary_view,
    pa.types.is_fixed_size_binary,
    pa.types.is_null,
)
TEXT = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)


@dataclass(frozen=True, slots=True)
class Pictures:
    """A column of encoded pictures: bytes, or a struct with the fields bytes and path, where the
    path is read if there are no bytes."""

    file: Path
    column: str

    def tiles(self, start: int, names: Sequence[str]) -> Iterator[Path | Embedded]:
        resolver = Resolver(self.file.parent)
        rows = read_rows(self.file, self.column, start, start + len(names))
        for name, (data, path) in zip(names, rows, strict=True):
            if data is None and path:
                yield self.file.parent / (resolver.find(path) or path)
            else:
                yield Embedded(Path(name), data or b"")


@contextmanager
def opened(path: Path) -> Iterator[pq.ParquetFile]:
    """Raises OSError or `pyarrow.ArrowException`. Arrow opens no path that is no UTF-8."""
    with path.open("rb") as stream, pq.ParquetFile(stream) as file:
        yield file


def holds_bytes(schema: pa.Schema, column: str, source: str) -> bool:
    """Whether a column of pictures holds them, or only their paths. Raises ListingUnreadable."""
    kind = schema.field(column).type
    fields = {each.name: each.type for each in kind} if pa.types.is_struct(kind) else {BYTES: kind}
    sound = (BYTES not in fields or _is_binary(fields[BYTES])) and (
        PATH not in fields or _is_text(fields[PATH])
    )
    if not sound or fields.keys().isdisjoint((BYTES, PATH)):
        raise unsuited(source, column, kind, PICTURES_WANTED)
    return BYTES in fields


def unsuited(source: str, column: str, kind: pa.DataType, expected: str) -> ListingUnreadable:
    reason = f"its column {column} holds {kind}, and what is expected there is {expected}"
    return ListingUnreadable(source, reason)


def own_paths(file: pq.ParquetFile, column: str) -> list[str]:
    """The paths that pictures come with, empty where one has none."""
    kind = file.schema_arrow.field(column).type
    if not pa.types.is_struct(kind) or kind.get_field_index(PATH) < 0:
        return [""] * file.metadata.num_rows
    held = file.read([f"{column}.{PATH}"]).column(0)
    return [text(path) for path in _as_bytes(pc.struct_field(held, PATH))]


def texts(file: pq.ParquetFile, column: str, source: str) -> list[str]:
    """A column's names, empty where a row has none. Raises ListingUnreadable."""
    kind = file.schema_arrow.field(column).type
    if not _is_text(kind):
        raise unsuited(source, column, kind, TEXT_WANTED)
    return [text(name) for name in _as_bytes(file.read([column]).column(0))]


def text(name: bytes | None) -> str:
    return from_bytes(name or b"")


def _as_bytes(held: pa.Array | pa.ChunkedArray) -> list[bytes | None]:
    """Text too: Arrow lets any bytes pass for it, and only fails when it decodes them."""
    kind = held.type
    found: list[bytes | None] = (
        (held.cast(kind.value_type) if pa.types.is_dictionary(kind) else held)
        .cast(pa.large_binary())
        .to_pylist()
    )
    return found


def _is_binary(kind: pa.DataType) -> bool:
    return any(suits(_plain(kind)) for suits in BINARY)


def _is_text(kind: pa.DataType) -> bool:
    return any(suits(_plain(kind)) for suits in (*TEXT, *BINARY))


def _plain(kind: pa.DataType) -> pa.DataType:
    return kind.value_type if pa.types.is_dictionary(kind) else kind


Picture = tuple[bytes | None, str]  # bytes, path


def read_rows(path: Path, column: str, start: int, stop: int) -> Iterator[Picture]:
    """Rows `start` to `stop` of the pictures' column, without holding a whole row group."""
    with opened(path) as file:
        first = 0
        for group in range(file.num_row_groups):
            rows = file.metadata.row_group(group).num_rows
            if first < stop and start < first + rows:
                within = (max(0, start - first), min(rows, stop - first))
                yield from _group_rows(file, column, group, *within)
            first += rows


def _group_rows(
    file: pq.ParquetFile, column: str, group: int, start: int, stop: int
) -> Iterator[Picture]:
    at = 0
    for batch in file.iter_batches(READ_ROWS, row_groups=[group], columns=[column]):
        if at >= stop:
            return
        if at + batch.num_rows > start:
            begin = max(0, start - at)
            yield from _pictures(batch.column(0).slice(begin, stop - at - begin))
        at += batch.num_rows


def _pictures(held: pa.Array) -> Iterator[Picture]:
    if not pa.types.is_struct(held.type):
        return ((data, "") for data in _as_bytes(held))
    paths: list[bytes | None] = [None] * len(held)
    if held.type.get_field_index(PATH) >= 0:
        paths = _as_bytes(pc.struct_field(held, PATH))
    data = _as_bytes(pc.struct_field(held, BYTES))
    return ((each, text(path)) for each, path in zip(data, paths, strict=True))
