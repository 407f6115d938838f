"""The questions Healer asks of a tile."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from healer.engines.base import Finding, Question

COLORECTAL_CANCER = Question(
    id="colorectal-cancer-1",
    text=(
        "Is colorectal cancer present in this histopathology image? "
        "Answer yes or no, then explain in one sentence."
    ),
    subject="colorectal cancer",
)


@dataclass(frozen=True, slots=True)
class ClassQuestion(Question):
    """One that class probabilities answer: no engine is asked anew.

    `classes` speak for yes. No at or below `lower`, yes from `upper`, indeterminate between.
    """

    classes: tuple[str, ...]
    lower: float
    upper: float

    def probability(self, findings: Sequence[Finding]) -> float | None:
        """None where the findings are not of these classes."""
        shares = {finding.name: finding.probability for finding in findings}
        if not shares.keys() >= set(self.classes):
            return None
        return min(1.0, sum(shares[name] for name in self.classes))


ADENOCARCINOMA = "adenocarcinoma"
HIGH_GRADE = "high-grade intraepithelial neoplasia"
LOW_GRADE = "low-grade intraepithelial neoplasia"
SERRATED = "serrated adenoma"

# Where the cuts come from: docs/model-card.md, "The second answer".
DYSPLASIA_OR_CANCER = ClassQuestion(
    id="dysplasia-or-cancer-1",
    text=(
        "Is dysplasia or colorectal cancer present in this histopathology image? "
        "Answer yes or no, then explain in one sentence."
    ),
    subject="dysplasia or colorectal cancer",
    classes=(ADENOCARCINOMA, HIGH_GRADE, LOW_GRADE, SERRATED),
    lower=0.3,
    upper=0.75,
)
