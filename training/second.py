"""How good the second answer is, out of fold: the model card's tables of it and its marks."""

from __future__ import annotations

import csv
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from healer.engines.base import Answer, Evidence, Finding
from healer.evaluation.shifts import NONE, TITLES
from healer.screening.calibration import Calibration
from healer.screening.opening import SHIPPED
from healer.screening.verdict import Mark, SecondAnswer, Verdict, decide, second_answer
from training.data import CLASSES, LABELS
from training.evaluate import ANSWERS
from training.kather import OUTPUT_NAMES
from training.shipped import CLASS_ANSWERS, COLUMNS, EBHI_SEG

BEGIN = "<!-- second answer: python -m training card -->"
END = "<!-- end of second answer -->"
NEOPLASIA = LABELS[:4]  # the classes that are dysplasia or cancer
HIGH_GRADE = "high-grade-in"


@dataclass(frozen=True)
class BothAnswers:
    """A tile under one shift: its class, and both answers."""

    label: str
    shift: str
    headline: Verdict
    second: SecondAnswer


def both_answers(
    answers: Path = ANSWERS, classes: Path = CLASS_ANSWERS, calibration: Path = SHIPPED
) -> Iterator[BothAnswers]:
    """Both answers to every tile, from margins and class probabilities out of fold."""
    fitted = Calibration.model_validate_json(calibration.read_bytes())
    with answers.open(newline="", encoding="utf-8") as file:
        held = {(row["path"], row["shift"]): row for row in csv.DictReader(file)}
    with classes.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            if row["source"] != EBHI_SEG or row["shift"] not in TITLES:
                continue
            answer = held[row["path"], row["shift"]]
            headline = decide(Evidence(float(answer["margin"])), fitted)
            second = second_answer(headline, findings_of(row))
            if second is not None:
                yield BothAnswers(answer["label"], row["shift"], headline, second)


def findings_of(row: Mapping[str, str]) -> list[Finding]:
    return [Finding(name, float(row[at])) for name, at in zip(OUTPUT_NAMES, COLUMNS, strict=True)]


def tables() -> str:
    """The text between the markers."""
    found: dict[str, list[BothAnswers]] = defaultdict(list)
    for each in both_answers():
        found[each.shift].append(each)
    return f"{by_class(found[NONE])}\n\n{by_shift(found)}"


def by_class(rows: Sequence[BothAnswers]) -> str:
    head = (
        "| class | tiles | first answer: no / indeterminate / yes | second answer: no / "
        "indeterminate / yes | not called cancer | of these marked high-grade | low-grade "
        "| serrated |"
    )
    lines = [head, "|---|---|---|---|---|---|---|---|"]
    for label in LABELS:
        mine = [row for row in rows if row.label == label]
        remaining = uncalled(mine)
        marks = Counter(row.second.mark for row in remaining)
        counts = (f"{share(marks[mark], len(remaining))}" for mark in Mark)
        first = answers([row.headline.answer for row in mine])
        second = answers([row.second.verdict for row in mine])
        line = (CLASSES[label], len(mine), first, second, len(remaining), *counts)
        lines.append(f"| {' | '.join(map(str, line))} |")
    return "\n".join(lines)


def by_shift(found: Mapping[str, Sequence[BothAnswers]]) -> str:
    head = (
        "| tile, changed | dysplasia or cancer not called no | called yes | normal and polyp not "
        "called yes | called no | high-grade not called cancer, marked high-grade "
        "| low-grade and serrated marked high-grade | normal and polyp marked high-grade |"
    )
    lines = [head, "|---|---|---|---|---|---|---|---|"]
    for shift, rows in found.items():
        ill = [row for row in rows if row.label in NEOPLASIA]
        well = [row for row in rows if row.label not in NEOPLASIA]
        lower = [row for row in ill if row.label in NEOPLASIA[2:]]
        figures = (
            rate(ill, lambda row: row.second.verdict is not Answer.NO),
            rate(ill, lambda row: row.second.verdict is Answer.YES),
            rate(well, lambda row: row.second.verdict is not Answer.YES),
            rate(well, lambda row: row.second.verdict is Answer.NO),
            rate(uncalled([row for row in ill if row.label == HIGH_GRADE]), marked_high),
            rate(uncalled(lower), marked_high),
            rate(uncalled(well), marked_high),
        )
        lines.append(f"| {TITLES[shift]} | {' | '.join(figures)} |")
    return "\n".join(lines)


def uncalled(rows: Sequence[BothAnswers]) -> list[BothAnswers]:
    """Those that the first answer does not call cancer: only they can have a mark."""
    return [row for row in rows if row.headline.answer is not Answer.YES]


def marked_high(row: BothAnswers) -> bool:
    return row.second.mark is Mark.HIGH_GRADE


def answers(found: Sequence[Answer]) -> str:
    order = (Answer.NO, Answer.INDETERMINATE, Answer.YES)
    return " / ".join(str(found.count(each)) for each in order)


def rate(rows: Sequence[BothAnswers], holds: Callable[[BothAnswers], bool]) -> str:
    return share(sum(map(holds, rows)), len(rows))


def share(count: int, of: int) -> str:
    return f"{count} ({count / of:.1%})" if count and of else str(count)
