"""Answers that a plain yes or no would not do justice to."""

from __future__ import annotations

from typing import Any

from tests.e2e.servers import ANSWER

RULE = "A share of high-grade neoplasia counts towards cancer."
NO: dict[str, Any] = {
    **ANSWER,
    "verdict": "no",
    "probability": 0.156,
    "calibrated": True,
    "findings": [
        {"name": "high-grade intraepithelial neoplasia", "probability": 0.72},
        {"name": "adenocarcinoma", "probability": 0.05},
    ],
    "headline_rule": RULE,
    "explanation": "Read as no cancer.",
}
LIKELY = "No invasive cancer read; high-grade neoplasia likely."
HIGH_GRADE: dict[str, Any] = {
    **NO,
    "second_answer": {
        "question": "dysplasia-or-cancer-1",
        "verdict": "yes",
        "probability": 0.83,
        "calibrated": False,
        "mark": "high-grade",
        "sentence": LIKELY,
    },
}
WINDOW = 500
WIDE: dict[str, Any] = {
    **NO,
    "calibrated": False,
    "tile": {"width": 3 * WINDOW, "height": 2 * WINDOW, "mpp": None},
    "warnings": [
        {
            "code": "wide_field",
            "measured": 1500.0,
            "threshold": 1120.0,
            "sentence": "The field is wider than what the model was trained for.",
        }
    ],
    "windows": [
        {
            "x": column * WINDOW,
            "y": line * WINDOW,
            "width": WINDOW,
            "height": WINDOW,
            "probability": 0.93 if (column, line) == (2, 1) else 0.04,
            "verdict": "yes" if (column, line) == (2, 1) else "no",
        }
        for line in range(2)
        for column in range(3)
    ],
}
