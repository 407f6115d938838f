"""What is known of each slide between two runs of the service, and what readers said of it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

from healer.audit.records import Agreement, Diagnosis
from healer.slides.answer import Unanswered

Json = dict[str, Any]


class SlideState(StrEnum):
    """`stale`: read by another model or calibration, or of another content of the file."""

    UNREAD = "unread"
    QUEUED = "queued"
    READING = "reading"
    READ = "read"
    STALE = "stale"
    FAILED = "failed"
    CANCELLED = "cancelled"


WAITING = frozenset({SlideState.QUEUED, SlideState.READING})


def without_tissue(known: Json, tissue_mm2: float) -> Json:
    """What answers of earlier versions do not say: that there was no tissue, and so no score."""
    if tissue_mm2 or known.get("unanswered"):
        return {}
    return {"unanswered": str(Unanswered.NO_TISSUE), "probability": None}


class ReadSummary(BaseModel):
    """The line that a worklist shows of a slide's answer. `run` is all that it depends on."""

    model_config = ConfigDict(frozen=True)

    verdict: str
    unanswered: str | None = None
    probability: float | None
    calibrated: bool
    second_answer: Json | None
    positive_mm2: float
    tissue_mm2: float
    read_share: float
    regions: int
    mpp: Json
    run: Mapping[str, str]

    @model_validator(mode="before")
    @classmethod
    def _without_tissue(cls, fields: Json) -> Json:
        return {**fields, **without_tissue(fields, fields["tissue_mm2"])}

    @classmethod
    def of(cls, document: Json) -> ReadSummary:
        """Of what `slide.json` says."""
        coverage = document["coverage"]
        return cls(
            verdict=document["verdict"],
            unanswered=document.get("unanswered"),
            probability=document["probability"],
            calibrated=document["calibrated"],
            second_answer=document["second_answer"],
            positive_mm2=document["scores"]["positive_mm2"],
            tissue_mm2=coverage["tissue_mm2"],
            read_share=coverage["read_share"],
            regions=len(document["regions"]),
            mpp=document["mpp"],
            run=document["run"],
        )


class SlideRecord(BaseModel):
    """`stamp` is that of the file that was read, `mpp` what a reader stated, `number` its place
    among those that wait."""

    model_config = ConfigDict(frozen=True)

    id: str
    state: SlideState = SlideState.UNREAD
    stamp: str | None = None
    mpp: float | None = None
    problem: Json | None = None
    updated: datetime | None = None
    number: int = 0
    requested_by: str | None = Field(default=None, description="The caller who had it read.")
    summary: ReadSummary | None = None
    audited: str | None = Field(default=None, description="The answer's hash in the audit log.")

    def changed(self, **fields: object) -> SlideRecord:
        return self.model_copy(update={**fields, "updated": datetime.now(UTC)})


class SlideReview(BaseModel):
    """As it is kept. `verdict`, `probability` and `findings`, the probability of each class, are
    what was answered then, at `read_at`."""

    slide: str
    region: int | None
    agreement: Agreement
    diagnosis: Diagnosis | None
    note: str
    at: datetime
    by: str | None
    verdict: str
    probability: float | None
    findings: Mapping[str, float]
    read_at: datetime | None
