"""What `healer predict` prints: a line a tile as it is known, and a count at the end."""

from __future__ import annotations

import codecs
import csv
import io
import json
import os
import signal
import sys
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TextIO

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from healer import NOTICE
from healer.answer import Prediction
from healer.display import printable, shortened
from healer.engines.base import Answer
from healer.errors.request import (
    AddressNotFile,
    FileNotReadable,
    FolderWithoutImages,
    OutputNotWritable,
)
from healer.files.table import without_formula
from healer.outcomes import Outcome
from healer.problem import Problem

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
        answer = {"path": str(outcome.path), **outcome.answer.model_dump(mode="json")}
        line = json.dumps(answer, ensure_ascii=False)
        if not (self._utf8 and line.isprintable()):
            line = json.dumps(answer)  # a name with a byte that is not UTF-8 comes back as it was
        with writing(STANDARD_OUTPUT):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()


class Csv:
    """A row a tile, after a heading. Names and sentences are escaped as on a terminal."""

    def __init__(self, stream: TextIO, place: str) -> None:
        self._stream, self._place, self._has_heading = stream, place, False
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
            if not self._has_heading:
                self._write_heading()
            self._table.writerow({name: cell(value) for name, value in cells(outcome).items()})
            self._stream.flush()

    def _write_heading(self) -> None:
        self._has_heading = True
        if self._stream is not sys.stdout:
            with suppress(OSError):  # a named pipe holds nothing
                self._stream.truncate(0)
        self._table.writeheader()


def cells(outcome: Outcome) -> Cells:
    answer = outcome.answer
    values = _refused(answer) if isinstance(answer, Problem) else _answered(answer)
    marks = "" if isinstance(answer, Problem) else "; ".join(marks_of(answer))
    return {
        "path": printable(outcome.path),
        **values,
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
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str):
        return value
    return without_formula(printable(value))


STYLES = {
    "no": "green",
    "indeterminate": "yellow",
    "yes": "bold red",
    "refused": "dim",
    "failed": "bold magenta",
}  # in the order in which they are counted
VERDICT, SHARE, MARK = max(map(len, STYLES)), len("> 99.9 %"), len("high-grade, ")
NAME = 16  # is never cut to less
GAP = "  "
INDENT = " " * 4
WORDS = {"not_he_stained": "not H&E"}  # where the code does not read well
# Nothing of a row would say what to do about these.
ALWAYS_EXPLAINED = {AddressNotFile.code, FolderWithoutImages.code}


class Rows:
    """Printed as they come. On a terminal no row is wider than it is; elsewhere names are whole,
    unless COLUMNS says how wide a row may be."""

    def __init__(
        self, console: Console | None = None, *, explain: bool = False, quiet: bool = False
    ) -> None:
        self._console = console or standard_output()
        self._explain, self._quiet = explain, quiet
        bounded = self._console.is_terminal or "COLUMNS" in os.environ
        self._width = self._console.width if bounded else None
        if self._console.is_terminal and not quiet:
            self._print(Text(GAP.join(_padded("Verdict", "Cancer", "Mark", "Tile")), "bold"))

    def write(self, outcome: Outcome) -> None:
        self._print(row(outcome, self._width))
        answer = outcome.answer
        stuck = isinstance(answer, Problem) and answer.code in ALWAYS_EXPLAINED
        if self._explain or stuck:
            for sentence in sentences(answer):
                self._print_wrapped(Text(printable(sentence)), INDENT)

    def close(self, verdicts: Counter[str]) -> None:
        if not self._quiet:
            self._print(Text(f"\n{summary(verdicts)}", "bold"))
            self._print_wrapped(Text(NOTICE, "dim italic"))

    def _print(self, text: Text) -> None:
        with writing(STANDARD_OUTPUT):
            self._console.print(text, soft_wrap=True, highlight=False)

    def _print_wrapped(self, sentence: Text, indent: str = "") -> None:
        room = None if self._width is None else max(NAME, self._width - len(indent))
        for line in [sentence] if room is None else sentence.wrap(self._console, room):
            line.rstrip()
            self._print(Text(indent).append_text(line))


def standard_output() -> Console:
    """One that an encoding cannot stop: what it lacks is escaped."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    return Console(file=sys.stdout)  # as it is now, whatever takes its place


def row(outcome: Outcome, width: int | None) -> Text:
    """Verdict, probability, mark, name; the name cut in the middle to fit."""
    word, marks = verdict_of(outcome.answer), ", ".join(marks_of(outcome.answer))
    share = percent(outcome.answer.probability) if isinstance(outcome.answer, Prediction) else "–"
    name = "standard input" if str(outcome.path) == "-" else printable(outcome.path)
    if width is not None:
        room = width - VERDICT - SHARE - 3 * len(GAP)
        marks = shortened(marks, max(MARK, room - NAME))
        name = shortened(name, max(NAME, room - max(MARK, cell_len(marks))))
    cells = _padded(word, share, marks, name)
    text = Text(GAP.join(cells))
    text.stylize(STYLES[word], 0, VERDICT)
    text.stylize("yellow", VERDICT + SHARE + 2 * len(GAP), len(text) - len(name))
    return text


def _padded(word: str, share: str, marks: str, name: str) -> Sequence[str]:
    return word.ljust(VERDICT), share.rjust(SHARE), marks.ljust(MARK), name


def verdict_of(answer: Prediction | Problem) -> str:
    """Refused is the picture's doing, failed is Healer's."""
    if isinstance(answer, Prediction):
        return str(answer.verdict)
    return "failed" if answer.status >= 500 else "refused"


def summary(verdicts: Counter[str]) -> str:
    return ", ".join(f"{verdicts[word]} {word}" for word in STYLES if verdicts[word]) or "no answer"


def marks_of(answer: Prediction | Problem) -> list[str]:
    """What must not be overlooked beside the verdict; of a problem, what it is."""
    return list(_marks(answer) if isinstance(answer, Prediction) else _causes(answer))


def _marks(answer: Prediction) -> Iterator[str]:
    if answer.second_answer and answer.second_answer.mark:
        yield answer.second_answer.mark
    if answer.gate and answer.gate.warnings:
        yield "gate: " + ", ".join(words(warning.code) for warning in answer.gate.warnings)
    yield from (words(warning.code) for warning in answer.warnings)
    if not answer.calibrated:
        yield "uncalibrated"


def _causes(problem: Problem) -> Iterator[str]:
    details = problem.model_extra or {}
    if reasons := details.get("reasons"):  # the gate's
        yield from (words(str(reason["code"])) for reason in reasons)
    elif problem.code == FileNotReadable.code:
        yield printable(str(details["reason"]))
    else:
        yield words(problem.code)


def sentences(answer: Prediction | Problem) -> Iterator[str]:
    if isinstance(answer, Problem):
        yield answer.detail
        return
    yield answer.explanation
    if answer.reason:
        yield f"{answer.reason[:1].upper()}{answer.reason[1:].rstrip('.')}."
    if answer.second_answer and answer.verdict is not Answer.YES:
        yield answer.second_answer.sentence
    for warning in (*(answer.gate.warnings if answer.gate else ()), *answer.warnings):
        yield warning.sentence


def words(code: str) -> str:
    return WORDS.get(code, code.replace("_", " "))


def percent(share: float) -> str:
    """As the page shows it: never a certainty that was not measured."""
    if 0 < share < 0.001:
        return "< 0.1 %"
    if 0.999 < share < 1:
        return "> 99.9 %"
    return f"{share:.1%}".replace("%", " %")


STANDARD_OUTPUT = "standard output"


@contextmanager
def writing(place: str) -> Iterator[None]:
    """Raises OutputNotWritable; a BrokenPipeError as it is: the reader has read enough."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        if place == STANDARD_OUTPUT:
            _discard_buffered()
        raise OutputNotWritable(place, error.strerror or type(error).__name__) from None


def _discard_buffered() -> None:
    """What is still buffered would fail again, with a traceback, when the process ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Delay Ctrl-C until the block ends, so that no row is written twice, by half or uncounted; a
    second one interrupts at once, in case nobody reads."""
    interrupted = False

    def delay(_signal: int, _frame: FrameType | None) -> None:
        nonlocal interrupted
        if interrupted:
            raise KeyboardInterrupt
        interrupted = True

    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, delay)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if interrupted:
        raise KeyboardInterrupt
