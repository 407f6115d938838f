"""The second answer: is there dysplasia, where no cancer was read?

Screening exists to find precursors too, and a plain "no" would hide them. It follows from the class
probabilities of the score that gave the first answer, and never contradicts that one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from healer.engines.base import Answer, Finding
from healer.questions import colorectal
from healer.questions.colorectal import DYSPLASIA_OR_CANCER
from healer.screening.verdict import Verdict


@dataclass(frozen=True, slots=True)
class Cuts:
    """No at or below `lower`, yes from `upper`; high-grade neoplasia is likely from `high_grade`.

    Where they come from: docs/model-card.md, "The second answer" and "Wide fields".
    """

    lower: float
    upper: float
    high_grade: float


OF_TILES = Cuts(lower=0.3, upper=0.75, high_grade=0.2)
# Of the windows of a wide field: a hundred of them are a hundred chances to be wrong.
OF_WINDOWS = Cuts(lower=0.75, upper=0.95, high_grade=0.5)


class Mark(StrEnum):
    """The precursor that is likely."""

    HIGH_GRADE = "high-grade"
    LOW_GRADE = "low-grade"
    SERRATED = "serrated"


@dataclass(frozen=True, slots=True)
class SecondAnswer:
    """`verdict` on `question`, of its own `probability`, which is not calibrated; `mark` is None
    where cancer was read or no precursor is likely."""

    question: str
    verdict: Answer
    probability: float
    mark: Mark | None
    sentence: str
    calibrated: bool = False


def second_answer(
    headline: Verdict, findings: Sequence[Finding], cuts: Cuts = OF_TILES
) -> SecondAnswer | None:
    """None where the engine gives no probabilities of these classes."""
    shares = {finding.name: finding.probability for finding in findings}
    head = DYSPLASIA_OR_CANCER.head
    share = head.probability(shares) if head else None
    if share is None:
        return None
    # Cancer is part of what is asked: this can be no less probable than the headline.
    probability = max(share, headline.probability)
    verdict = _verdict(headline.answer, probability, cuts)
    mark = None if headline.answer is Answer.YES else _mark(verdict, findings, cuts)
    if mark is not None:
        verdict = Answer.YES
    sentence = _sentence(headline.answer, verdict, mark)
    return SecondAnswer(DYSPLASIA_OR_CANCER.id, verdict, probability, mark, sentence)


def _verdict(headline: Answer, probability: float, cuts: Cuts) -> Answer:
    """Yes to cancer is yes to this too; where cancer is open this is no "no"."""
    if headline is Answer.YES or probability >= cuts.upper:
        return Answer.YES
    if headline is Answer.INDETERMINATE or probability > cuts.lower:
        return Answer.INDETERMINATE
    return Answer.NO


def _mark(verdict: Answer, findings: Sequence[Finding], cuts: Cuts) -> Mark | None:
    shares = {finding.name: finding.probability for finding in findings}
    if verdict is not Answer.NO and shares[colorectal.HIGH_GRADE] >= cuts.high_grade:
        return Mark.HIGH_GRADE
    likeliest = max(_LESSER, key=lambda name: shares[name])
    if verdict is not Answer.YES or shares[likeliest] < shares[colorectal.ADENOCARCINOMA]:
        return None
    return _LESSER[likeliest]


_LESSER = {colorectal.LOW_GRADE: Mark.LOW_GRADE, colorectal.SERRATED: Mark.SERRATED}
_OPENING = {
    Answer.NO: "No invasive cancer read",
    Answer.INDETERMINATE: "Invasive cancer neither read nor excluded",
}
_LIKELY = {
    Mark.HIGH_GRADE: "high-grade neoplasia likely",
    Mark.LOW_GRADE: "low-grade neoplasia likely",
    Mark.SERRATED: "serrated adenoma likely",
}


def _sentence(headline: Answer, verdict: Answer, mark: Mark | None) -> str:
    if headline is Answer.YES:
        return "Read as cancer, so dysplasia or cancer is present."
    return f"{_OPENING[headline]}{_rest(headline, verdict, mark)}."


def _rest(headline: Answer, verdict: Answer, mark: Mark | None) -> str:
    if mark is not None:
        return f"; {_LIKELY[mark]}"
    if verdict is Answer.NO:
        return ", and no precursor lesion"
    if verdict is Answer.INDETERMINATE:
        return "; a precursor lesion cannot be excluded"
    return "; dysplasia likely" if headline is Answer.NO else "; dysplasia or cancer likely"
