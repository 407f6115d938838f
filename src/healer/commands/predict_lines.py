"""Answers for programs, each on its line as soon as it is known: JSON, and CSV."""

from __future__ import annotations

import codecs
import csv
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TextIO

from healer.commands.predict_rows import marks_of
from healer.commands.writing import STANDARD_OUTPUT, writing
from healer.names import printable
from healer.outcomes import Outcome
from healer.serving.schemas import Prediction, Problem

FORMULA = ("=", "+", "-", "@", "\t", "\r")
COLUMNS = (
    *("path", "verdict", "probability", "calibrated", "marks", "reason", "explanation"),
    *("second_verdict", "second_probability", "second_mark", "second_sentence"),
    *("findings", "gate_warnings", "warnings", "no_up_to", "yes_from"),
    *("engine", "model_id", "model_revision", "calibration"),
    *("error_code", "error_message", "request_id"),
)
Cells = dict[str, str | float | bool | None]


class JsonLines:
    """One object a tile: its path, and the HTTP service's answer or problem."""

    def __init__(self) -> None:
        encoding = getattr(sys.stdout, "encoding", None) or "ascii"
        self._utf8 = codecs.lookup(encoding).name == "utf-8"

    def write(self, outcome: Outcome) -> None:
        told = {"path": str(outcome.path), **outcome.answer.model_dump(mode="json")}
        line = json.dumps(told, ensure_ascii=False)
        if not (self._utf8 and line.isprintable()):
            line = json.dumps(told)  # a name with a byte that is not UTF-8 comes back as it was
        with writing(STANDARD_OUTPUT):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()


class Csv:
    """A row a tile, after a heading. Names and sentences are escaped as on a terminal."""

    def __init__(self, stream: TextIO, place: str) -> None:
        self._stream, self._place, self._begun = stream, place, False
        self._table = csv.DictWriter(stream, COLUMNS, lineterminator="\n")

    @classmethod
    def to_standard_output(cls) -> Csv:
        return cls(sys.stdout, STANDARD_OUTPUT)

    @classmethod
    @contextmanager
    def to_file(cls, file: Path) -> Iterator[Csv]:
        """What the file held before is kept until there is an answer."""
        place = printable(file)
        with writing(place):
            stream = file.open("a", encoding="utf-8", newline="")
        with stream:
            yield cls(stream, place)

    def write(self, outcome: Outcome) -> None:
        with writing(self._place):
            if not self._begun:
                self._begin()
            self._table.writerow({name: cell(value) for name, value in cells(outcome).items()})
            self._stream.flush()

    def _begin(self) -> None:
        self._begun = True
        if self._stream is not sys.stdout:
            with suppress(OSError):  # a named pipe holds nothing
                self._stream.truncate(0)
        self._table.writeheader()


def cells(outcome: Outcome) -> Cells:
    answer = outcome.answer
    told = _refused(answer) if isinstance(answer, Problem) else _answered(answer)
    marks = "" if isinstance(answer, Problem) else "; ".join(marks_of(answer))
    return {
        "path": printable(outcome.path),
        **told,
        "marks": marks,
        "request_id": answer.request_id,
    }


def _refused(problem: Problem) -> Cells:
    return {"error_code": problem.code, "error_message": problem.detail}


def _answered(answer: Prediction) -> Cells:
    second, model = answer.second_answer, answer.model
    gate = answer.gate.warnings if answer.gate else []
    return {
        "verdict": str(answer.verdict),
        "probability": answer.probability,
        "calibrated": answer.calibrated,
        "reason": answer.reason,
        "explanation": answer.explanation,
        "second_verdict": str(second.verdict) if second else None,
        "second_probability": second.probability if second else None,
        "second_mark": second.mark if second else None,
        "second_sentence": second.sentence if second else None,
        "findings": "; ".join(f"{seen.name} {seen.probability:.3f}" for seen in answer.findings),
        "gate_warnings": "; ".join(warning.code for warning in gate),
        "warnings": "; ".join(warning.code for warning in answer.warnings),
        "no_up_to": model.thresholds.lower,
        "yes_from": model.thresholds.upper,
        "engine": model.engine,
        "model_id": model.id,
        "model_revision": model.revision,
        "calibration": model.calibration,
    }


def cell(value: str | float | bool | None) -> str | float | None:
    """A text that begins like a formula would be run by a spreadsheet: it is quoted for it too."""
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str):
        return value
    text = printable(value)
    return f"'{text}" if text.startswith(FORMULA) and len(text) > 1 else text
