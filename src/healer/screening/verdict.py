"""From evidence to a verdict: a probability, and whether it is enough to answer."""

from __future__ import annotations

from dataclasses import dataclass

from healer.engines.base import Answer, Evidence
from healer.screening.calibration import Calibration, sigmoid

CUT = 0.5
# Below this the engine was about to say something other than yes or no, and the odds between
# the two say little.
LEAST_MASS = 0.5


@dataclass(frozen=True, slots=True)
class Verdict:
    """`probability` of yes in [0, 1]; `reason` says why an indeterminate one is."""

    answer: Answer
    probability: float
    calibrated: bool = False
    reason: str | None = None


def decide(evidence: Evidence, calibration: Calibration | None = None) -> Verdict:
    if calibration is None:
        probability, lower, upper = sigmoid(evidence.margin), CUT, CUT
    else:
        probability = calibration.probability(evidence.margin)
        lower, upper = calibration.lower, calibration.upper
    calibrated = calibration is not None
    if reason := _withheld(evidence.mass, probability, lower, upper):
        return Verdict(Answer.INDETERMINATE, probability, calibrated, reason)
    answer = Answer.YES if probability >= upper else Answer.NO
    return Verdict(answer, probability, calibrated)


def _withheld(mass: float, probability: float, lower: float, upper: float) -> str | None:
    """Why no answer is given; None where one is."""
    if mass < LEAST_MASS:
        return f"the model put only {mass:.0%} on answering yes or no"
    if lower < probability < upper:
        return (
            f"a probability of {probability:.2f} lies between {lower:.2f} and {upper:.2f}, "
            "where neither answer was reliable on known cases"
        )
    return None
