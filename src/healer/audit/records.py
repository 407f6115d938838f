"""What the log keeps. Never pixels, never a file's name.

Each kind of record becomes one line of canonical JSON; see `chain.py` for how it is sealed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from healer import __version__
from healer.files.disk import StoredRecord
from healer.images.tile import Tile
from healer.quality.gate import LoadedTile
from healer.screening.screener import Score, Screener, Screening

NOTE_CHARACTERS = 500

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
RequestId = Annotated[str, Field(min_length=1, max_length=64)]
# Control characters cannot be shown, and PostgreSQL's jsonb cannot hold one of them.
Note = Annotated[str, Field(max_length=NOTE_CHARACTERS, pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]*$")]


class Opinion(BaseModel):
    """A reviewer's word on an answer."""

    model_config = ConfigDict(extra="forbid")

    request_id: RequestId = Field(description="Of the answer.")
    agrees: bool = Field(strict=True, description="Whether the reviewer agrees with the verdict.")
    note: Note | None = Field(default=None, description="Must not name the patient.")


Agreement = Literal["agree", "disagree"]
Diagnosis = Literal["normal", "hyperplastic", "low_grade", "high_grade", "adenocarcinoma", "other"]


class SlideOpinion(BaseModel):
    """A reader's word on a slide, or on one of its regions."""

    model_config = ConfigDict(extra="forbid")

    slide: RequestId = Field(description="The slide's id.")
    region: Annotated[int, Field(ge=1, strict=True)] | None = Field(
        default=None, description="The region's id; null for the whole slide."
    )
    agreement: Agreement
    diagnosis: Diagnosis | None = None
    note: Note = Field(default="", description="Must not name the patient.")


def now() -> datetime:
    return datetime.now(UTC)


class AuditRecord(StoredRecord):
    format: Literal[1] = 1
    healer: str = Field(default=__version__, description="The code's version.")
    time: datetime = Field(default_factory=now, description="UTC, by this machine's clock.")


class AnswerRecord(AuditRecord):
    """One answer.

    `file_sha256` is of the bytes as they were sent, `pixels_sha256` of the decoded picture (see
    `pixel_digest`); `margin` is the natural log-odds of yes against no, `mass` the probability put
    on either. `question` is the id of the question answered. `second_…` is the second answer, null
    where there was none; `warnings` are codes of those beside the gate's; `windows` is how many a
    wide field was scored in, null where it was scored whole. Earlier versions' records lack these.
    """

    kind: Literal["answer"] = "answer"
    request_id: RequestId
    caller: str | None
    file_sha256: Sha256
    pixels_sha256: Sha256
    question: str | None = None
    verdict: Literal["yes", "no", "indeterminate"]
    probability: float = Field(ge=0, le=1)
    margin: float = Field(allow_inf_nan=False)
    mass: float = Field(allow_inf_nan=False)
    gate: Literal["passed", "warned", "off"]
    gate_reasons: tuple[str, ...] = ()
    engine: str
    model_id: str
    revision: str
    adapter: str | None
    device: str
    dtype: str
    quantization: str
    preprocessing_id: str
    prompt_id: str
    calibration: str | None
    second_question: str | None = None
    second_verdict: Literal["yes", "no", "indeterminate"] | None = None
    second_probability: float | None = Field(default=None, ge=0, le=1)
    second_mark: Literal["high-grade", "low-grade", "serrated"] | None = None
    warnings: tuple[str, ...] = ()
    windows: int | None = None


class ReviewRecord(AuditRecord):
    """What a reviewer made of an answer; `answer` is the hash of its record."""

    kind: Literal["review"] = "review"
    request_id: RequestId
    answer: Sha256
    caller: str | None
    agrees: bool
    note: Note | None = None


class MissedRecord(AuditRecord):
    """Answers that were given without a record, because the store was down and
    HEALER_AUDIT_FAILURE is degrade."""

    kind: Literal["gap"] = "gap"
    answers: int = Field(gt=0)
    since: datetime


class SlideAnswerRecord(AuditRecord):
    """One answer about a whole slide. `slide` is the keyed hash that the service knows it by,
    `content_hash` is of the file's content; `score` is what `probability` was made of, `run` names
    all that the tiles' results depend on, models and calibrations among it. `caller` had it read;
    earlier versions' records lack it."""

    kind: Literal["slide_answer"] = "slide_answer"
    slide: RequestId
    caller: str | None = None
    content_hash: str
    question: str
    verdict: Literal["yes", "no", "indeterminate"]
    first_verdict: Literal["yes", "no", "indeterminate"]
    probability: float | None = Field(ge=0, le=1)
    calibrated: bool
    score: float = Field(allow_inf_nan=False)
    second_question: str | None = None
    second_verdict: Literal["yes", "no", "indeterminate"] | None = None
    second_probability: float | None = Field(default=None, ge=0, le=1)
    regions: int = Field(ge=0)
    tiles: int = Field(ge=0)
    tissue_mm2: float = Field(ge=0)
    positive_mm2: float = Field(ge=0)
    read_share: float = Field(ge=0, le=1)
    least_share_for_no: float = Field(ge=0, le=1)
    mpp_x: float = Field(gt=0)
    mpp_y: float = Field(gt=0)
    mpp_source: str
    model_id: str
    revision: str
    calibration: str | None
    slide_calibration: str | None
    seed: int
    run: tuple[str, ...]

    @classmethod
    def of(cls, document: Mapping[str, Any], slide: str, caller: str | None = None) -> Self:
        """Of what `slide.json` says; the slide's name in it is left out."""
        scores, coverage, mpp = document["scores"], document["coverage"], document["mpp"]
        model, second = document["model"], document["second_answer"] or {}
        return cls(
            slide=slide,
            caller=caller,
            content_hash=document["content_hash"],
            question=document["question"],
            verdict=document["verdict"],
            first_verdict=document["first_verdict"],
            probability=document["probability"],
            calibrated=document["calibrated"],
            score=scores["score"],
            second_question=second.get("question"),
            second_verdict=second.get("verdict"),
            second_probability=second.get("probability"),
            regions=len(document["regions"]),
            tiles=scores["tiles"],
            tissue_mm2=coverage["tissue_mm2"],
            positive_mm2=scores["positive_mm2"],
            read_share=coverage["read_share"],
            least_share_for_no=coverage["least_share_for_no"],
            mpp_x=mpp["x"],
            mpp_y=mpp["y"],
            mpp_source=mpp["source"],
            model_id=model["id"],
            revision=model["revision"],
            calibration=model["calibration"],
            slide_calibration=document["slide_calibration"],
            seed=document["seed"],
            run=tuple(f"{name}={value}" for name, value in sorted(document["run"].items())),
        )


class SlideReviewRecord(AuditRecord):
    """What a reader made of a slide, or of one of its regions; `answer` is the hash of the
    answer's record, null where that was not recorded."""

    kind: Literal["slide_review"] = "slide_review"
    slide: RequestId
    answer: Sha256 | None
    caller: str | None
    region: int | None
    agreement: Agreement
    diagnosis: Diagnosis | None
    note: Note


Given = AnswerRecord | SlideAnswerRecord
Record = Given | ReviewRecord | SlideReviewRecord | MissedRecord


def file_digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def pixel_digest(tile: Tile) -> str:
    """SHA-256 of `HEIGHTxWIDTH` and a line feed, then the RGB bytes row by row."""
    digest = hashlib.sha256(f"{tile.height}x{tile.width}\n".encode())
    digest.update(np.ascontiguousarray(tile.pixels).data)
    return digest.hexdigest()


def answer_record(
    screener: Screener,
    admitted: LoadedTile,
    seen: Score | Screening,
    *,
    file_sha256: str,
    request_id: str,
    caller: str | None,
) -> AnswerRecord:
    """Hashes the pixels: some 0.3 ms for a tile of 224 px, 0.1 s for the largest picture."""
    info, calibration = screener.info, screener.calibration
    second = seen.second
    reasons = tuple(reason.code for reason in admitted.gate.reasons) if admitted.gate else ()
    return AnswerRecord(
        request_id=request_id,
        caller=caller,
        file_sha256=file_sha256,
        pixels_sha256=pixel_digest(admitted.tile),
        question=screener.question.id,
        verdict=seen.verdict.answer.value,
        probability=seen.verdict.probability,
        margin=seen.margin,
        mass=seen.mass,
        gate="off" if admitted.gate is None else "warned" if reasons else "passed",
        gate_reasons=reasons,
        engine=info.engine,
        model_id=info.model_id,
        revision=info.revision,
        adapter=info.adapter,
        device=info.device,
        dtype=info.dtype,
        quantization=info.quantization,
        preprocessing_id=info.preprocessing_id,
        prompt_id=info.prompt_id,
        calibration=calibration.id if calibration else None,
        second_question=second.question if second else None,
        second_verdict=second.verdict.value if second else None,
        second_probability=second.probability if second else None,
        second_mark=second.mark.value if second and second.mark else None,
        warnings=tuple(warning.code for warning in seen.warnings),
        windows=None if seen.windows is None else len(seen.windows),
    )
