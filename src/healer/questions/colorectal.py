"""Colorectal cancer, and dysplasia or cancer."""

from __future__ import annotations

from healer.display import percent
from healer.questions.base import Answer, ClassHead, Question

ADENOCARCINOMA = "adenocarcinoma"
HIGH_GRADE = "high-grade intraepithelial neoplasia"
LOW_GRADE = "low-grade intraepithelial neoplasia"
SERRATED = "serrated adenoma"

# Whether glands invade often cannot be seen in one small field: the closer the field, the more of
# a cancer's probability goes to high-grade neoplasia. So much of that probability speaks for
# cancer. Out of fold it costs 0.003 of AUROC at home, where the two are distinguished.
HIGH_GRADE_SHARE = 0.3

DYSPLASIA_OR_CANCER = Question(
    id="dysplasia-or-cancer-1",
    text=(
        "Is dysplasia or colorectal cancer present in this histopathology image? "
        "Answer yes or no, then explain in one sentence."
    ),
    subject="dysplasia or colorectal cancer",
    head=ClassHead(
        shares=dict.fromkeys((ADENOCARCINOMA, HIGH_GRADE, LOW_GRADE, SERRATED), 1.0),
        rule=(
            "The answer follows from these probabilities: adenocarcinoma, high-grade and low-grade "
            "neoplasia and serrated adenoma count towards dysplasia or cancer"
        ),
        key="every neoplastic class speaks for dysplasia or cancer",
    ),
    sentences={
        Answer.YES: "Read as dysplasia or cancer.",
        Answer.NO: "Read as neither dysplasia nor cancer.",
        Answer.INDETERMINATE: "Cannot be read as dysplasia or cancer, or as neither.",
    },
)

COLORECTAL_CANCER = Question(
    id="colorectal-cancer-1",
    text=(
        "Is colorectal cancer present in this histopathology image? "
        "Answer yes or no, then explain in one sentence."
    ),
    subject="colorectal cancer",
    head=ClassHead(
        shares={ADENOCARCINOMA: 1.0, HIGH_GRADE: HIGH_GRADE_SHARE},
        rule=(
            "The answer follows from these probabilities: adenocarcinoma counts towards cancer, "
            f"and so does {percent(HIGH_GRADE_SHARE)} of high-grade neoplasia"
        ),
        key=f"{HIGH_GRADE_SHARE} of high-grade neoplasia speaks for cancer",
    ),
    sentences={
        Answer.YES: "Read as cancer.",
        Answer.NO: "Read as no cancer.",
        Answer.INDETERMINATE: "Cannot be read as cancer or as no cancer.",
    },
    follow_up=DYSPLASIA_OR_CANCER,
)

QUESTIONS = {each.id: each for each in (COLORECTAL_CANCER, DYSPLASIA_OR_CANCER)}
