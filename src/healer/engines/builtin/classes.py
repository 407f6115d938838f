"""Log-odds of cancer from the network's class log-probabilities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from healer.display import rough_percent
from healer.engines.base import Answer, Finding

# Positions among the network's outputs.
CANCER_INDEX, HIGH_GRADE_INDEX = 0, 1
# Whether glands invade often cannot be seen in one small field: the closer the field, the more of
# a cancer's probability goes to high-grade neoplasia. So much of that probability speaks for
# cancer. Out of fold it costs 0.003 of AUROC at home, where the two are told apart.
HIGH_GRADE_SHARE = 0.3


def cancer_margin(scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """Natural log-odds, shape (...), from log-probabilities of shape (..., classes)."""
    high_grade = scores[..., HIGH_GRADE_INDEX]
    others = np.delete(scores, [CANCER_INDEX, HIGH_GRADE_INDEX], axis=-1)
    yes = np.logaddexp(scores[..., CANCER_INDEX], high_grade + np.log(HIGH_GRADE_SHARE))
    rest = np.logaddexp.reduce(others, axis=-1)
    no = np.logaddexp(rest, high_grade + np.log1p(-HIGH_GRADE_SHARE))
    return np.asarray(yes - no, np.float64)


CANCER = "adenocarcinoma"
READ = {
    Answer.YES: "Read as cancer.",
    Answer.NO: "Read as no cancer.",
    Answer.INDETERMINATE: "Cannot be read as cancer or as no cancer.",
}
NAMED = 2  # classes


def compose_sentence(findings: Sequence[Finding], answer: Answer) -> Iterator[str]:
    """Pieces of it, for findings sorted by probability."""
    yield READ[answer]
    yield " Most likely classes: "
    yield ", ".join(f"{short(each)} {rough_percent(each.probability)}" for each in findings[:NAMED])
    yield "."


def short(finding: Finding) -> str:
    return finding.name.replace("intraepithelial ", "")
