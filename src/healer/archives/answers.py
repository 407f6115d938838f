"""Answers as rows of a Parquet file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from healer.files.encoding import escaped, to_bytes
from healer.serving.schemas import Prediction, Problem, SecondAnswerOut

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
Row = dict[str, Any]


def row_of(row: int, path: str, answer: Prediction | Problem) -> Row:
    """A tile without an answer has an error code and message, and nothing else."""
    told = _refused(answer) if isinstance(answer, Problem) else _answered(answer)
    shown = escaped(path)
    return {
        "row": row,
        "path": shown,
        "path_bytes": to_bytes(path) if shown != path else None,
        **told,
    }


def _refused(problem: Problem) -> Row:
    return {"error_code": problem.code, "error_message": problem.detail}


def _answered(answer: Prediction) -> Row:
    warnings = answer.gate.warnings if answer.gate else []
    return {
        "verdict": str(answer.verdict),
        "probability": answer.probability,
        "calibrated": answer.calibrated,
        "reason": answer.reason,
        "explanation": answer.explanation,
        "findings": [seen.model_dump() for seen in answer.findings],
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
    told = second.model_dump(mode="json") if second else {}
    return {f"second_{name}": value for name, value in told.items()}


def encoded(rows: Iterable[Row]) -> bytes:
    """A whole Parquet file."""
    sink = pa.BufferOutputStream()
    pq.write_table(pa.Table.from_pylist(list(rows), SCHEMA), sink, compression="zstd")
    data: bytes = sink.getvalue().to_pybytes()
    return data


def with_notes(notes: Mapping[str, str]) -> pa.Schema:
    """What stands in the file beside its rows."""
    return SCHEMA.with_metadata({f"healer.{name}": text for name, text in notes.items()})
