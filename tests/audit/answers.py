"""Answers to record. Imports no pytest: processes of their own use it too."""

from __future__ import annotations

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
