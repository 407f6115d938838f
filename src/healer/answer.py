"""An answer: its question, what was read, how sure that is, and what answered.

The one shape that the HTTP service, the command line and archives share, as `Problem` is for what
got no answer. Field names are a contract; add, never rename.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import asdict
from typing import Annotated, Any

from pydantic import BaseModel, Field

from healer import NOTICE
from healer.engines.base import Answer, Finding
from healer.quality.gate import GateReport, LoadedTile
from healer.screening.screener import Score, Screener, Screening
from healer.screening.verdict import CUT, Mark, SecondAnswer
from healer.screening.wide_field import WindowAnswer

Share = Annotated[float, Field(ge=0, le=1)]


def new_request_id() -> str:
    return uuid.uuid4().hex


class FindingOut(BaseModel):
    name: str
    probability: Share


class GateReason(BaseModel):
    """Why the picture was not found assessable."""

    code: str
    measured: float
    threshold: float
    sentence: str


class GateOut(BaseModel):
    passed: bool
    warnings: list[GateReason]

    @classmethod
    def of(cls, report: GateReport | None) -> GateOut | None:
        if report is None:
            return None
        reasons = [
            GateReason(
                code=reason.code,
                measured=reason.measured,
                threshold=reason.threshold,
                sentence=reason.sentence,
            )
            for reason in report.reasons
        ]
        return cls(passed=not reasons, warnings=reasons)


class SecondAnswerOut(BaseModel):
    """Whether dysplasia is likely where no cancer was read; it never contradicts `verdict`."""

    question: str = Field(description="The question: dysplasia-or-cancer-1.")
    verdict: Answer
    probability: Share = Field(description="Probability of dysplasia or cancer.")
    calibrated: bool = Field(description="Whether `probability` was calibrated on known cases.")
    mark: Mark | None = Field(
        description="The likely precursor; null where cancer was read or none is likely."
    )
    sentence: str

    @classmethod
    def of(cls, second: SecondAnswer | None) -> SecondAnswerOut | None:
        return cls(**asdict(second)) if second else None


class FieldWarningOut(BaseModel):
    """What to know of a picture that was answered all the same: `wide_field`, `unlike_training`,
    `whole_slide`."""

    code: str
    measured: float
    threshold: float
    sentence: str


class WindowOut(BaseModel):
    """One window of a wide field, in pixels of the upright tile."""

    x: int
    y: int
    width: int
    height: int
    probability: Share
    verdict: Answer


class Thresholds(BaseModel):
    """No at or below `lower`, yes from `upper`, indeterminate between."""

    lower: Share
    upper: Share


class TileOut(BaseModel):
    """The picture as it was scored: upright, in pixels."""

    width: int
    height: int
    mpp: float | None = Field(description="Micrometres per pixel; null where the file says none.")
    page: int | None = Field(
        default=None,
        description="The page that was read, from 1; null where the file holds only one.",
    )


class ModelOut(BaseModel):
    """What answered."""

    engine: str
    id: str
    revision: str
    device: str
    dtype: str
    quantization: str
    adapter: str | None = Field(description="LoRA adapter served; null where there is none.")
    calibration: str | None = Field(description="Calibration applied; null where there is none.")
    calibration_fitted_on: str | None = Field(
        default=None,
        description="The tiles that calibration was fitted on: what its probabilities hold for.",
    )
    thresholds: Thresholds = Field(description="Where `probability` is cut into verdicts.")

    @classmethod
    def of(cls, screener: Screener) -> ModelOut:
        info, calibration = screener.info, screener.calibration
        return cls(
            engine=info.engine,
            id=info.model_id,
            revision=info.revision,
            device=info.device,
            dtype=info.dtype,
            quantization=info.quantization,
            adapter=info.adapter,
            calibration=calibration.id if calibration else None,
            calibration_fitted_on=calibration.fitted_on.in_words() if calibration else None,
            thresholds=Thresholds(
                lower=calibration.lower if calibration else CUT,
                upper=calibration.upper if calibration else CUT,
            ),
        )


class VerdictOut(BaseModel):
    """What is known as soon as the engine has scored; the explanation follows."""

    question: str = Field(description="The question: colorectal-cancer-1.")
    verdict: Answer
    probability: Share = Field(
        description="Probability that the answer is yes: that colorectal cancer is present."
    )
    calibrated: bool = Field(
        description="Whether `probability` was calibrated on pictures like this one: on known "
        "cases, with nothing to say against the picture, no wide field and not unlike_training."
    )
    reason: str | None = Field(
        description="A sentence: why the verdict is indeterminate; null otherwise."
    )
    findings: list[FindingOut]
    headline_rule: str | None = Field(
        default=None,
        description="How `verdict` follows from `findings`; null where it does not.",
    )
    second_answer: SecondAnswerOut | None = Field(
        default=None,
        description="Dysplasia or cancer; null where the engine gives no class probabilities.",
    )
    warnings: list[FieldWarningOut] = Field(
        default=[], description="What to know beside what the gate found."
    )
    windows: list[WindowOut] | None = Field(
        default=None,
        description="What was read where, in a wide field read window by window; null otherwise.",
    )
    gate: GateOut | None = Field(description="What the input gate found; null where it is off.")
    tile: TileOut
    model: ModelOut
    request_id: str
    recorded: bool | None = Field(
        default=None,
        description="Whether the audit log holds this answer; null where no log is kept.",
    )

    @classmethod
    def of(
        cls,
        screener: Screener,
        score: Score,
        admitted: LoadedTile,
        request_id: str,
        recorded: bool | None = None,
    ) -> VerdictOut:
        fields = _fields(screener, score, score.evidence.findings, admitted)
        return cls(**fields, request_id=request_id, recorded=recorded)


class Summary(BaseModel):
    prediction: str = Field(description="Yes, No or Indeterminate, then the explanation.")


class Prediction(VerdictOut, Summary):
    """A finished answer."""

    explanation: str = Field(description="A sentence or two that agree with the verdict.")
    timings_ms: dict[str, float]
    notice: str = NOTICE

    @classmethod
    def finished(
        cls,
        screener: Screener,
        screening: Screening,
        admitted: LoadedTile,
        request_id: str,
        timings: dict[str, float],
        recorded: bool | None = None,
    ) -> Prediction:
        """`timings` are further stages, in seconds, beside the screening's own."""
        stages = {**timings, **screening.timings}
        return cls(
            **_fields(screener, screening, screening.findings, admitted),
            prediction=screening.prediction,
            explanation=screening.explanation,
            timings_ms={stage: round(seconds * 1000, 1) for stage, seconds in stages.items()},
            request_id=request_id,
            recorded=recorded,
        )


def _fields(
    screener: Screener, about: Score | Screening, findings: Sequence[Finding], admitted: LoadedTile
) -> dict[str, Any]:
    tile, verdict = admitted.tile, about.verdict
    return {
        "question": screener.question.id,
        "verdict": verdict.answer,
        "probability": verdict.probability,
        "calibrated": verdict.calibrated and admitted.unopposed,
        "reason": verdict.reason,
        "findings": [FindingOut(name=each.name, probability=each.probability) for each in findings],
        "headline_rule": about.headline_rule,
        "second_answer": SecondAnswerOut.of(about.second),
        "warnings": [FieldWarningOut(**asdict(warning)) for warning in about.warnings],
        "windows": _windows(about.windows),
        "gate": GateOut.of(admitted.gate),
        "tile": TileOut(width=tile.width, height=tile.height, mpp=tile.mpp, page=tile.page),
        "model": ModelOut.of(screener),
    }


def _windows(windows: Sequence[WindowAnswer] | None) -> list[WindowOut] | None:
    return None if windows is None else [WindowOut(**asdict(window)) for window in windows]
