"""Tiles of a slide as rows of Parquet: parts while it is read, one file when it is done.

A part appears whole or not at all, and belongs to one slide, model and plan, so that a run which
was killed goes on without a tile lost or repeated.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa
import pyarrow.parquet as pq

from healer import NOTICE
from healer.engines.base import Answer, Finding
from healer.errors.slides import SlideAnswersNotWritable, SlideRunMismatch, SlideTaken
from healer.files.disk import atomic_write
from healer.files.parts import BINDING, Binding, BoundParts
from healer.screening.verdict import Mark, SecondAnswer
from healer.slides.reader import Area
from healer.slides.scoring import TileResult

FOLDER = "parts"
SECOND = pa.struct(
    [
        ("question", pa.string()),
        ("verdict", pa.string()),
        ("probability", pa.float64()),
        ("mark", pa.string()),
        ("sentence", pa.string()),
        ("calibrated", pa.bool_()),
    ]
)
SCHEMA = pa.schema(
    [
        *(pa.field(name, pa.int64(), nullable=False) for name in ("x", "y", "width", "height")),
        pa.field("mpp", pa.float64(), nullable=False),
        ("probability", pa.float64()),
        ("verdict", pa.string()),
        ("second_answer", SECOND),
        ("findings", pa.list_(pa.struct([("name", pa.string()), ("probability", pa.float64())]))),
        ("gate_reasons", pa.list_(pa.string())),
        ("error_code", pa.string()),
        ("tissue_mm2", pa.float64()),
        ("warnings", pa.list_(pa.string())),
    ]
)
Row = dict[str, Any]


def row_of(result: TileResult) -> Row:
    return {
        **asdict(result.area),
        "mpp": result.um_per_px,
        "probability": result.probability,
        "verdict": result.verdict and str(result.verdict),
        "second_answer": result.second and _second_row(result.second),
        "findings": [asdict(finding) for finding in result.findings],
        "gate_reasons": list(result.reasons),
        "error_code": result.problem,
        "tissue_mm2": result.tissue_mm2,
        "warnings": list(result.warnings),
    }


def _second_row(second: SecondAnswer) -> Row:
    mark = second.mark and str(second.mark)
    return {**asdict(second), "verdict": str(second.verdict), "mark": mark}


def result_of(row: Row) -> TileResult:
    second = row["second_answer"]
    return TileResult(
        area=Area(row["x"], row["y"], row["width"], row["height"]),
        um_per_px=row["mpp"],
        probability=row["probability"],
        verdict=row["verdict"],
        second=second and _second_of(second),
        findings=tuple(Finding(**finding) for finding in row["findings"]),
        reasons=tuple(row["gate_reasons"]),
        problem=row["error_code"],
        tissue_mm2=row["tissue_mm2"],
        warnings=tuple(row["warnings"]),
    )


def _second_of(row: Row) -> SecondAnswer:
    mark = row["mark"] and Mark(row["mark"])
    return SecondAnswer(**{**row, "verdict": Answer(row["verdict"]), "mark": mark})


def table_of(results: Iterable[TileResult]) -> pa.Table:
    return pa.Table.from_pylist([row_of(result) for result in results], SCHEMA)


def write_tiles(place: Path, results: Sequence[TileResult], notes: Mapping[str, str]) -> None:
    """The whole file, with the notice and `notes` in its metadata. Raises OSError."""
    metadata = {f"healer.{name}": text for name, text in {"notice": NOTICE, **notes}.items()}
    with atomic_write(place) as stream:
        table = table_of(results).replace_schema_metadata(metadata)
        pq.write_table(table, stream, compression="zstd")


def read_tiles(place: Path) -> list[TileResult]:
    """Raises OSError, or pyarrow.ArrowException where the file is damaged."""
    with place.open("rb") as stream:
        return [result_of(row) for row in pq.read_table(stream).to_pylist()]


class TileParts(BoundParts):
    """In the slide's folder, which goes with them where nothing else is in it. Raises
    `healer.errors.slides`."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder / FOLDER)
        self._next = 0

    def taken(self) -> SlideTaken:
        return SlideTaken(self.folder.parent.name)

    def mismatch(self, differs: str) -> SlideRunMismatch:
        return SlideRunMismatch(self.folder.parent.name, differs)

    def not_writable(self, reason: str) -> SlideAnswersNotWritable:
        return SlideAnswersNotWritable(self.folder.parent.name, reason)

    @property
    def worth_keeping(self) -> bool:
        return bool(self.files())

    def __enter__(self) -> Self:
        with self.write_errors():
            self.folder.parent.mkdir(parents=True, exist_ok=True)
        return super().__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        super().__exit__(kind, error, trace)
        with suppress(OSError):  # it holds something
            self.folder.parent.rmdir()

    def bind(self, binding: Binding) -> list[TileResult]:
        """What an earlier run of the same binding has read; raises SlideRunMismatch where the
        parts are of another."""
        self.check_binding(binding)
        return list(self._whole_parts())

    def _whole_parts(self) -> Iterator[TileResult]:
        """A damaged part is deleted, and its tiles are read again."""
        for part in self.files():
            self._next = int(part.stem) + 1
            try:
                yield from read_tiles(part)
            except (OSError, pa.ArrowException):
                part.unlink()

    def save(self, results: Sequence[TileResult]) -> None:
        if results:
            sink = pa.BufferOutputStream()
            pq.write_table(table_of(results), sink, compression="zstd")
            self.write(f"{self._next:09}.parquet", sink.getvalue().to_pybytes())
            self._next += 1

    def discard(self) -> None:
        """When all is written elsewhere, or to begin again."""
        (self.folder / BINDING).unlink(missing_ok=True)
        for part in self.files():
            part.unlink()
        self._next = 0
