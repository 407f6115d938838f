"""Answers as rows of Parquet files: one part a block, merged into one output at the end."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from healer import NOTICE
from healer.answer import Prediction, SecondAnswerOut
from healer.errors.batch import AnswersNotWritable, OutputTaken, RunMismatch
from healer.files.disk import atomic_write
from healer.files.parts import BINDING, DRAFT, Binding, BoundParts
from healer.files.spelling import escaped, to_bytes
from healer.problem import Problem

WINDOW = pa.struct(
    [
        *((name, pa.int32()) for name in ("x", "y", "width", "height")),
        ("probability", pa.float64()),
        ("verdict", pa.string()),
    ]
)
SCHEMA = pa.schema(
    [
        pa.field("row", pa.int64(), nullable=False),
        pa.field("path", pa.string(), nullable=False),  # escaped, where it is no UTF-8
        ("verdict", pa.string()),
        ("probability", pa.float64()),
        ("calibrated", pa.bool_()),
        ("reason", pa.string()),
        ("explanation", pa.string()),
        ("findings", pa.list_(pa.struct([("name", pa.string()), ("probability", pa.float64())]))),
        ("gate_warnings", pa.list_(pa.string())),
        ("engine", pa.string()),
        ("model_id", pa.string()),
        ("model_revision", pa.string()),
        ("calibration", pa.string()),
        ("error_code", pa.string()),
        ("error_message", pa.string()),
        ("path_bytes", pa.binary()),  # a path that is no UTF-8, as it is
        ("second_question", pa.string()),
        ("second_verdict", pa.string()),
        ("second_probability", pa.float64()),
        ("second_calibrated", pa.bool_()),
        ("second_mark", pa.string()),
        ("second_sentence", pa.string()),
        ("warnings", pa.list_(pa.string())),
        ("windows", pa.list_(WINDOW)),
    ]
)
GROUP_ROWS = 16_384
Row = dict[str, Any]


def row_of(row: int, path: str, answer: Prediction | Problem) -> Row:
    """A tile without an answer has an error code and message, and nothing else."""
    columns = _error_columns(answer) if isinstance(answer, Problem) else _columns(answer)
    shown = escaped(path)
    return {
        "row": row,
        "path": shown,
        "path_bytes": to_bytes(path) if shown != path else None,
        **columns,
    }


def _error_columns(problem: Problem) -> Row:
    return {"error_code": problem.code, "error_message": problem.detail}


def _columns(answer: Prediction) -> Row:
    warnings = answer.gate.warnings if answer.gate else []
    return {
        "verdict": str(answer.verdict),
        "probability": answer.probability,
        "calibrated": answer.calibrated,
        "reason": answer.reason,
        "explanation": answer.explanation,
        "findings": [finding.model_dump() for finding in answer.findings],
        "gate_warnings": [warning.code for warning in warnings],
        "engine": answer.model.engine,
        "model_id": answer.model.id,
        "model_revision": answer.model.revision,
        "calibration": answer.model.calibration,
        **_second(answer.second_answer),
        "warnings": [warning.code for warning in answer.warnings],
        "windows": answer.windows and [each.model_dump(mode="json") for each in answer.windows],
    }


def _second(second: SecondAnswerOut | None) -> Row:
    """Nothing where there is none."""
    fields = second.model_dump(mode="json") if second else {}
    return {f"second_{name}": value for name, value in fields.items()}


def encoded(rows: Iterable[Row]) -> bytes:
    """A whole Parquet file."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(list(rows), SCHEMA), sink, compression="zstd")
    data: bytes = sink.getvalue().to_pybytes()
    return data


def with_notes(notes: Mapping[str, str]) -> pa.Schema:
    """The schema with notes in the file's metadata."""
    return SCHEMA.with_metadata({f"healer.{name}": text for name, text in notes.items()})


@dataclass(slots=True)
class AnswerCounts:
    """Answers in the output, by verdict and by error code."""

    verdicts: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)

    def add(self, table: pa.Table) -> None:
        for counter, column in ((self.verdicts, "verdict"), (self.errors, "error_code")):
            counts = pc.value_counts(pc.drop_null(table[column])).to_pylist()
            counter.update({each["values"]: each["counts"] for each in counts})


class Parts(BoundParts):
    """Beside the output, in a folder named after it. Raises `healer.errors.ArchiveError`."""

    def __init__(self, output: Path, rows: int) -> None:
        self.output, self.rows = output.absolute(), rows
        super().__init__(self.output.with_name(f"{output.name}.parts"))
        self._done: dict[int, int] = {}

    def taken(self) -> OutputTaken:
        return OutputTaken(self.output.name, "is being written by another run")

    def mismatch(self, differs: str) -> RunMismatch:
        return RunMismatch(self.folder.name, differs)

    def not_writable(self, reason: str) -> AnswersNotWritable:
        return AnswersNotWritable(self.output.name, reason)

    @property
    def worth_keeping(self) -> bool:
        return (self.folder / BINDING).exists()  # else nothing was begun, or all is done

    def __enter__(self) -> Self:
        if self.output.exists():
            raise OutputTaken(self.output.name, "is there already")
        return super().__enter__()

    def bind(self, binding: Binding) -> int:
        """The rows that are answered already; raises RunMismatch where another run answered."""
        self.check_binding(binding)
        self._done = dict(self._whole_parts())
        return sum(stop - start for start, stop in self._done.items())

    def _whole_parts(self) -> Iterator[tuple[int, int]]:
        """Rows from and to of each part; a damaged one is deleted and redone."""
        for part in self.files():
            start, stop = map(int, part.stem.split("-"))
            try:
                rows = _rows_in(part)
            except (OSError, pa.ArrowException):
                rows = 0
            if rows == stop - start:
                yield start, stop
            else:
                part.unlink()

    def gaps(self, most: int) -> list[range]:
        """Rows without an answer, in blocks of at most `most`."""
        ends = [0, *(stop for _, stop in sorted(self._done.items()))]
        starts = [*sorted(self._done), self.rows]
        return [
            range(at, min(at + most, start))
            for end, start in zip(ends, starts, strict=True)
            for at in range(end, start, most)
        ]

    def save(self, start: int, rows: int, part: bytes) -> None:
        self.write(f"{start:09}-{start + rows:09}.parquet", part)
        self._done[start] = start + rows

    def merge(self, notes: Mapping[str, str] | None = None) -> AnswerCounts:
        """Every row once and in order, or no output at all; the parts are then deleted. `notes`
        go into the output's metadata."""
        counts = AnswerCounts()
        binding = (self.folder / BINDING).read_text(encoding="utf-8")
        schema = with_notes({"notice": NOTICE, "run": binding, **(notes or {})})
        draft = self.folder / DRAFT
        with self.write_errors():
            # Files that are open: Arrow itself opens no path that is no UTF-8.
            with (
                atomic_write(self.output, draft=draft) as stream,
                pq.ParquetWriter(stream, schema, compression="zstd") as out,
            ):
                for table in self._tables():
                    out.write_table(table.cast(schema))
                    counts.add(table)
            _flush_folder(self.output.parent)
        (self.folder / BINDING).unlink()
        return counts

    def _tables(self) -> Iterator[pa.Table]:
        """The parts in order, joined to groups of a size that reads well."""
        group: list[pa.Table] = []
        next_row = 0
        for start, stop in sorted(self._done.items()):
            with (self.folder / f"{start:09}-{stop:09}.parquet").open("rb") as stream:
                table = pq.read_table(stream)
            if table["row"].to_pylist() != list(range(next_row, stop)):
                raise self._incomplete()
            next_row = stop
            group.append(table)
            if sum(map(len, group)) >= GROUP_ROWS:
                yield pa.concat_tables(group)
                group = []
        if next_row != self.rows:
            raise self._incomplete()
        if group:
            yield pa.concat_tables(group)

    def _incomplete(self) -> AnswersNotWritable:
        return self.not_writable(
            f"{self.folder.name} does not hold every row once; delete it to start again"
        )

    @contextmanager
    def write_errors(self) -> Iterator[None]:
        try:
            with super().write_errors():
                yield
        except pa.ArrowException as error:
            reason = f"a file in {self.folder.name} is damaged ({type(error).__name__})"
            raise self.not_writable(reason) from None


def _rows_in(part: Path) -> int:
    with part.open("rb") as stream:
        rows: int = pq.read_metadata(stream).num_rows
    return rows


def _flush_folder(folder: Path) -> None:
    """To the disk; some file systems know no such thing of a folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    with suppress(OSError):
        os.fsync(descriptor)
    os.close(descriptor)
