"""Answers for people: a line a tile, and a count of them at the end."""

from __future__ import annotations

import io
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence

from rich.cells import cell_len
from rich.console import Console
from rich.text import Text

from healer.commands.writing import STANDARD_OUTPUT, writing
from healer.engines.base import Answer
from healer.errors import AddressNotFile, FileNotReadable, FolderWithoutImages
from healer.names import printable, shortened
from healer.notice import NOTICE
from healer.outcomes import Outcome
from healer.serving.schemas import Prediction, Problem

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
            self._say(Text(GAP.join(_padded("Verdict", "Cancer", "Mark", "Tile")), "bold"))

    def write(self, outcome: Outcome) -> None:
        self._say(row(outcome, self._width))
        answer = outcome.answer
        stuck = isinstance(answer, Problem) and answer.code in ALWAYS_EXPLAINED
        if self._explain or stuck:
            for sentence in sentences(answer):
                self._say_whole(Text(printable(sentence)), INDENT)

    def close(self, told: Counter[str]) -> None:
        if not self._quiet:
            self._say(Text(f"\n{summary(told)}", "bold"))
            self._say_whole(Text(NOTICE, "dim italic"))

    def _say(self, text: Text) -> None:
        with writing(STANDARD_OUTPUT):
            self._console.print(text, soft_wrap=True, highlight=False)

    def _say_whole(self, sentence: Text, indent: str = "") -> None:
        room = None if self._width is None else max(NAME, self._width - len(indent))
        for line in [sentence] if room is None else sentence.wrap(self._console, room):
            line.rstrip()
            self._say(Text(indent).append_text(line))


def standard_output() -> Console:
    """One that an encoding cannot stop: what it lacks is escaped."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    return Console()


def row(outcome: Outcome, width: int | None) -> Text:
    """Verdict, probability, mark, name; the name cut in the middle to fit."""
    word, marks = word_of(outcome.answer), ", ".join(marks_of(outcome.answer))
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


def word_of(answer: Prediction | Problem) -> str:
    """Refused is the picture's doing, failed is Healer's."""
    if isinstance(answer, Prediction):
        return str(answer.verdict)
    return "failed" if answer.status >= 500 else "refused"


def summary(told: Counter[str]) -> str:
    return ", ".join(f"{told[word]} {word}" for word in STYLES if told[word]) or "no answer"


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
    told = problem.model_extra or {}
    if reasons := told.get("reasons"):  # the gate's
        yield from (words(str(reason["code"])) for reason in reasons)
    elif problem.code == FileNotReadable.code:
        yield printable(str(told["reason"]))
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
