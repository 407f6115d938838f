"""The shapes of what Healer sends. Field names are a contract; add, never rename."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from healer.engines.base import Answer, EngineInfo
from healer.errors import HealerError
from healer.notice import NOTICE
from healer.screening.screener import Screening

Share = Annotated[float, Field(ge=0, le=1)]


class FindingOut(BaseModel):
    name: str
    probability: Share


class ModelOut(BaseModel):
    """What answered."""

    engine: str
    id: str
    revision: str
    device: str
    dtype: str
    quantization: str

    @classmethod
    def of(cls, info: EngineInfo) -> ModelOut:
        return cls(
            engine=info.engine,
            id=info.model_id,
            revision=info.revision,
            device=info.device,
            dtype=info.dtype,
            quantization=info.quantization,
        )


class Prediction(BaseModel):
    model_config = ConfigDict(title="Prediction")

    prediction: str = Field(description="Yes, No or Indeterminate, then one sentence.")
    verdict: Answer
    probability: Share = Field(description="Probability that colorectal cancer is present.")
    calibrated: bool = Field(description="Whether `probability` was calibrated on known cases.")
    explanation: str = Field(description="One sentence that agrees with the verdict.")
    reason: str | None = Field(description="Why the verdict is indeterminate; null otherwise.")
    findings: list[FindingOut]
    model: ModelOut
    timings_ms: dict[str, float]
    request_id: str
    notice: str = NOTICE

    @classmethod
    def of(cls, screening: Screening, request_id: str, timings: dict[str, float]) -> Prediction:
        """`timings` are further stages, in seconds, beside the screening's own."""
        stages = {**timings, **screening.timings}
        return cls(
            prediction=screening.prediction,
            verdict=screening.verdict.answer,
            probability=screening.verdict.probability,
            calibrated=screening.verdict.calibrated,
            explanation=screening.explanation,
            reason=screening.verdict.reason,
            findings=[
                FindingOut(name=finding.name, probability=finding.probability)
                for finding in screening.findings
            ],
            model=ModelOut.of(screening.engine),
            timings_ms={stage: round(seconds * 1000, 1) for stage, seconds in stages.items()},
            request_id=request_id,
        )


class Health(BaseModel):
    status: Literal["ok"] = "ok"
    ready: bool
    reason: str | None = Field(description="Why the service is not ready; null when it is.")
    version: str
    engine: str
    engine_reason: str = Field(description="Why this engine was chosen.")
    model: ModelOut | None = Field(description="What answers; null until it is loaded.")
    warnings: list[str]
    uptime_seconds: float
    notice: str = NOTICE


class Readiness(BaseModel):
    ready: Literal[True] = True


class Welcome(BaseModel):
    name: str = "Healer"
    version: str
    predict: str = "POST /predict with a multipart form field image_file"
    health: str = "/health"
    openapi: str = "/openapi.json"
    notice: str = NOTICE


class Problem(BaseModel):
    """RFC 9457. Further fields carry what the sentence in `detail` was built from."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    detail: str
    code: str = Field(description="Stable; switch on this.")
    request_id: str

    @classmethod
    def of(cls, error: HealerError, status: int, request_id: str) -> Problem:
        return cls(
            type=f"urn:healer:problem:{error.code}",
            title=error.title,
            status=status,
            detail=str(error),
            code=error.code,
            request_id=request_id,
            **error.fields(),
        )
