"""From evidence to a verdict: a probability, and whether it is enough to answer."""

from __future__ import annotations

from dataclasses import dataclass

from healer.display import distinct_percents, percent
from healer.engines.base import Answer, Evidence
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
        "The model told too few of its likeliest words: the probability lies somewhere from "
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
