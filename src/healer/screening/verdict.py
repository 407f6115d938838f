"""From evidence to a verdict: a probability, and whether it is enough to answer.

The second answer says whether there is dysplasia where no cancer was read: screening exists to find
precursors too, and a plain "no" would hide them. It follows from the class probabilities of the
score that gave the verdict, and never contradicts it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from healer.display import distinct_percents, percent
from healer.engines.base import Answer, Evidence, Finding
from healer.questions.colorectal import (
    ADENOCARCINOMA,
    DYSPLASIA_OR_CANCER,
    HIGH_GRADE,
    LOW_GRADE,
    SERRATED,
)
from healer.screening.calibration import Calibration, sigmoid

CUT = 0.5
# Below this the engine was about to say something other than yes or no, and the odds between
# the two say little.
LEAST_MASS = 0.5


@dataclass(frozen=True, slots=True)
class Verdict:
    """`probability` of yes in [0, 1]; `reason`, a sentence, says why an indeterminate one is."""

    answer: Answer
    probability: float
    calibrated: bool = False
    reason: str | None = None


def decide(evidence: Evidence, calibration: Calibration | None = None) -> Verdict:
    if calibration is None:
        believed, lower, upper = sigmoid, CUT, CUT
    else:
        believed, lower, upper = calibration.probability, calibration.lower, calibration.upper
    calibrated = calibration is not None
    probability = believed(evidence.margin)
    low, high = (believed(end) for end in evidence.bounds or (evidence.margin,) * 2)
    reason = (
        _silent(evidence.mass)
        or _unsettled(low, high, lower, upper)
        or _between(probability, lower, upper)
    )
    if reason:
        return Verdict(Answer.INDETERMINATE, probability, calibrated, reason)
    answer = Answer.YES if probability >= upper else Answer.NO
    return Verdict(answer, probability, calibrated)


def _silent(mass: float) -> str | None:
    """Why no answer is given, and None where one is; so too below."""
    if mass >= LEAST_MASS:
        return None
    return f"The model put only {percent(mass)} on answering yes or no."


def _unsettled(low: float, high: float, lower: float, upper: float) -> str | None:
    """Where the engine knows the probability only from `low` to `high`."""
    no, between, yes = high <= lower and high < upper, lower < low and high < upper, low >= upper
    if no or between or yes:
        return None
    return (
        "The model reported too few of its likeliest words: the probability lies somewhere from "
        f"{percent(low)} to {percent(high)}, and the answer is not the same throughout."
    )


def _between(probability: float, lower: float, upper: float) -> str | None:
    if not lower < probability < upper:
        return None
    low, found, high = distinct_percents(lower, probability, upper)
    return (
        f"{found} falls between {low} and {high}: in that range the model was wrong too often in "
        "testing to answer yes or no."
    )


@dataclass(frozen=True, slots=True)
class Cuts:
    """No at or below `lower`, yes from `upper`; high-grade neoplasia is likely from `high_grade`.

    Where they come from: docs/model-card.md, "The second answer" and "Wide fields".
    """

    lower: float
    upper: float
    high_grade: float


OF_TILES = Cuts(lower=0.3, upper=0.77, high_grade=0.15)
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
    # Cancer is part of the second question: this can be no less probable than the headline.
    probability = max(share, headline.probability)
    verdict = _second_verdict(headline.answer, probability, cuts)
    mark = None if headline.answer is Answer.YES else _likely_mark(verdict, findings, cuts)
    if mark is not None:
        verdict = Answer.YES
    sentence = _second_sentence(headline.answer, verdict, mark)
    return SecondAnswer(DYSPLASIA_OR_CANCER.id, verdict, probability, mark, sentence)


def _second_verdict(headline: Answer, probability: float, cuts: Cuts) -> Answer:
    """Yes to cancer is yes to this too; where cancer is open this is no "no"."""
    if headline is Answer.YES or probability >= cuts.upper:
        return Answer.YES
    if headline is Answer.INDETERMINATE or probability > cuts.lower:
        return Answer.INDETERMINATE
    return Answer.NO


def _likely_mark(verdict: Answer, findings: Sequence[Finding], cuts: Cuts) -> Mark | None:
    shares = {finding.name: finding.probability for finding in findings}
    if verdict is not Answer.NO and shares[HIGH_GRADE] >= cuts.high_grade:
        return Mark.HIGH_GRADE
    likeliest = max(_LESSER, key=lambda name: shares[name])
    if verdict is not Answer.YES or shares[likeliest] < shares[ADENOCARCINOMA]:
        return None
    return _LESSER[likeliest]


_LESSER = {LOW_GRADE: Mark.LOW_GRADE, SERRATED: Mark.SERRATED}
_OPENING = {
    Answer.NO: "No invasive cancer read",
    Answer.INDETERMINATE: "Invasive cancer neither read nor excluded",
}
_LIKELY = {
    Mark.HIGH_GRADE: "high-grade neoplasia likely",
    Mark.LOW_GRADE: "low-grade neoplasia likely",
    Mark.SERRATED: "serrated adenoma likely",
}


def _second_sentence(headline: Answer, verdict: Answer, mark: Mark | None) -> str:
    if headline is Answer.YES:
        return "Read as cancer, so dysplasia or cancer is present."
    return f"{_OPENING[headline]}{_precursors(headline, verdict, mark)}."


def _precursors(headline: Answer, verdict: Answer, mark: Mark | None) -> str:
    if mark is not None:
        return f"; {_LIKELY[mark]}"
    if verdict is Answer.NO:
        return ", and no precursor lesion"
    if verdict is Answer.INDETERMINATE:
        return "; a precursor lesion cannot be excluded"
    return "; dysplasia likely" if headline is Answer.NO else "; dysplasia or cancer likely"
