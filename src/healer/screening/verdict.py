"""From evidence to a verdict: a probability, and whether it is enough to answer."""

from __future__ import annotations

import math
from dataclasses import dataclass

from healer.engines.base import Answer, Evidence

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


def decide(evidence: Evidence) -> Verdict:
    probability = sigmoid(evidence.margin)
    if evidence.mass < LEAST_MASS:
        return Verdict(Answer.INDETERMINATE, probability, reason=_too_little(evidence.mass))
    return Verdict(Answer.YES if probability >= CUT else Answer.NO, probability)


def sigmoid(margin: float) -> float:
    return 1 / (1 + math.exp(-margin)) if margin >= 0 else math.exp(margin) / (1 + math.exp(margin))


def _too_little(mass: float) -> str:
    return f"the model put only {mass:.0%} on answering yes or no"
