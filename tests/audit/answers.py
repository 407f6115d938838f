"""Answers to record. Imports no pytest: processes of their own use it too."""

from __future__ import annotations

from typing import Any

from healer.audit.records import AnswerRecord


def answer(request_id: str = "r1", **changes: object) -> AnswerRecord:
    return AnswerRecord.model_validate(
        {
            "request_id": request_id,
            "caller": None,
            "file_sha256": "a" * 64,
            "pixels_sha256": "b" * 64,
            "verdict": "yes",
            "probability": 0.8125,
            "margin": 1.4663370687934272,
            "mass": 1.0,
            "gate": "passed",
            "engine": "fake",
            "model_id": "healer/fake",
            "revision": "0",
            "adapter": None,
            "device": "cpu",
            "dtype": "float32",
            "quantization": "none",
            "preprocessing_id": "mean-colour",
            "prompt_id": "none",
            "calibration": None,
            **changes,
        }
    )


def slide_document() -> dict[str, Any]:
    """What `slide.json` says, as far as it is recorded."""
    return {
        "content_hash": "c" * 64,
        "question": "colorectal-cancer-1",
        "verdict": "no",
        "first_verdict": "no",
        "probability": 0.0625,
        "calibrated": False,
        "regions": [],
        "scores": {"score": 0.0625, "tiles": 12, "positive_mm2": 0.0},
        "coverage": {"tissue_mm2": 2.5, "read_share": 1.0, "least_share_for_no": 0.95},
        "mpp": {"x": 0.5, "y": 0.5, "source": "slide"},
        "model": {"id": "healer/fake", "revision": "0", "calibration": None},
        "second_answer": None,
        "slide_calibration": None,
        "seed": 0,
        "run": {"model": "healer/fake"},
    }
