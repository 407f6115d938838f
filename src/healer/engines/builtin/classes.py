"""Log-odds and sentences from the network's classes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from healer.display import rough_percent
from healer.engines.base import Answer, Finding, Question
from healer.questions.colorectal import HIGH_GRADE_SHARE

# Positions among the network's outputs.
CANCER_INDEX, HIGH_GRADE_INDEX = 0, 1


def class_margin(scores: NDArray[np.floating], shares: Sequence[float]) -> NDArray[np.float64]:
    """Natural log-odds of yes, shape (...), from log-probabilities of shape (..., classes) and how
    much of each class, in [0, 1], speaks for yes."""
    share = np.asarray(shares, np.float64)
    for_yes, for_no = share > 0, share < 1
    yes = np.logaddexp.reduce(scores[..., for_yes] + np.log(share[for_yes]), axis=-1)
    no = np.logaddexp.reduce(scores[..., for_no] + np.log1p(-share[for_no]), axis=-1)
    return np.asarray(yes - no, np.float64)


def cancer_margin(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """`class_margin` of colorectal cancer, for classes in the network's order."""
    shares = [0.0] * scores.shape[-1]
    shares[CANCER_INDEX], shares[HIGH_GRADE_INDEX] = 1.0, HIGH_GRADE_SHARE
    return class_margin(scores, shares)


NAMED = 2  # classes


def compose_sentence(
    findings: Sequence[Finding], answer: Answer, question: Question
) -> Iterator[str]:
    """Pieces of it, for findings sorted by probability."""
    yield question.sentences[answer]
    yield " Most likely classes: "
    yield ", ".join(f"{short(each)} {rough_percent(each.probability)}" for each in findings[:NAMED])
    yield "."


def short(finding: Finding) -> str:
    return finding.name.replace("intraepithelial ", "")
