"""The questions Healer asks of a tile."""

from __future__ import annotations

from healer.engines.base import Question

COLORECTAL_CANCER = Question(
    id="colorectal-cancer-1",
    text=(
        "Is colorectal cancer present in this histopathology image? "
        "Answer yes or no, then explain in one sentence."
    ),
    subject="colorectal cancer",
)
