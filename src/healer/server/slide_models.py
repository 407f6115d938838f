"""What `/slides` answers, for the OpenAPI document and the page's types. Add fields, never rename.

Answers are documented with these and not passed through them: a slide that an earlier version read
may lack fields that today's have, and is shown all the same. A test compares both.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from pydantic import BaseModel, Field

from healer.answer import FindingOut, ModelOut, SecondAnswerOut
from healer.audit.records import Agreement, Diagnosis
from healer.engines.base import Answer
from healer.problem import Problem

State = Literal["unread", "queued", "reading", "read", "stale", "failed", "cancelled"]
Unanswered = Literal["no_tissue", "nothing_read"]
Point = tuple[float, float]
Polygons = list[list[list[Point]]]


class SlideBox(BaseModel):
    """In pixels of level 0."""

    x: int
    y: int
    width: int
    height: int


class SlideBoxMm(BaseModel):
    x: float
    y: float
    width: float
    height: float


class SlideScale(BaseModel):
    """Micrometres per pixel of level 0, and who stated them."""

    x: float
    y: float
    source: str


class SlideLevel(BaseModel):
    width: int
    height: int
    downsample: float
    decimated: bool = Field(
        default=False, description="Its writer left pixels out instead of averaging them."
    )


class ReadingProgress(BaseModel):
    """In tiles; `kept` were read before this start."""

    done: int
    total: int
    kept: int
    tiles_per_second: float | None
    seconds_left: float | None


class LatestReview(BaseModel):
    agreement: Agreement
    diagnosis: Diagnosis | None
    at: datetime


class SlideSummary(BaseModel):
    """A slide's line in the worklist."""

    id: str
    name: str | None = Field(description="Its path in the folder; null for who may not know it.")
    case: str | None
    state: State = Field(
        description="`stale`: read by another model or calibration, or another content of the file."
    )
    verdict: Answer | None
    unanswered: Unanswered | None = Field(
        description="Why `verdict` is indeterminate where nothing at all was scored."
    )
    probability: float | None
    calibrated: bool
    second_answer: SecondAnswerOut | None
    positive_mm2: float | None
    read_share: float | None
    tissue_mm2: float | None
    regions: int | None
    problem: Problem | None = Field(description="Why it could not be read.")
    progress: ReadingProgress | None
    updated: datetime | None
    stale_reason: str | None
    thumbnail: str
    review: LatestReview | None = Field(description="The latest word on the whole slide.")
    mpp: SlideScale | None


class SlideReviewKept(BaseModel):
    """What a reader said of a slide, or of one of its regions by its id."""

    region: int | None
    agreement: Agreement
    diagnosis: Diagnosis | None
    note: str
    at: datetime
    by: str | None
    verdict: Answer
    probability: float | None
    read_at: datetime | None


class SlideRegion(BaseModel):
    """Polygons are outer rings and their holes, in pixels of level 0."""

    id: int = Field(description="Its place in the list, from 1.")
    rank: int = Field(description="Among the regions of its kind.")
    kind: Literal["cancer", "precursor"]
    mark: str | None
    box: SlideBox
    box_mm: SlideBoxMm
    outline: Polygons
    outline_mm: Polygons
    area_mm2: float
    score: float
    peak: float
    peak_box: SlideBox
    tiles: int
    findings: list[FindingOut]


class SlidePatch(BaseModel):
    """A place that a second model was shown; `region` is a rank among those of cancer."""

    box: SlideBox
    region: int | None
    first_verdict: Answer
    verdict: Answer | None
    probability: float | None
    opinion: str
    sentence: str


class SlideCascade(BaseModel):
    """What a second model said of the places that it was shown."""

    model: str
    sentence: str
    patches: list[SlidePatch]


class SlideCoverage(BaseModel):
    tissue_mm2: float
    read_mm2: float
    excluded_mm2: dict[str, float]
    unreadable_mm2: float
    unvisited_mm2: float
    read_share: float
    least_share_for_no: float


class SlideThresholdsOut(BaseModel):
    """No at or below `lower`, yes from `upper`; `positive`, from which a tile is a yes."""

    lower: float
    upper: float
    positive: float


class SlideAnswerOut(BaseModel):
    """The greater part of what `slide.json` says; docs/slides.md has the rest."""

    verdict: Answer
    unanswered: Unanswered | None
    probability: float | None
    calibrated: bool
    reason: str | None
    sentence: str
    first_verdict: Answer
    warnings: list[str]
    second_answer: SecondAnswerOut | None
    scores: dict[str, float]
    thresholds: SlideThresholdsOut
    rule: str
    slide_calibration: str | None
    coverage: SlideCoverage
    regions: list[SlideRegion]
    cascade: SlideCascade | None
    tiles: dict[str, float]
    size: tuple[int, int]
    mpp: SlideScale
    reader: str
    model: ModelOut
    timings_s: dict[str, float]
    healer: str


class SlideDetail(SlideSummary):
    """One slide; `size` is null where its file cannot be opened."""

    size: tuple[int, int] | None
    levels: list[SlideLevel]
    answer: SlideAnswerOut | None
    reviews: list[SlideReviewKept] = Field(description="Oldest first.")


class SlideCase(BaseModel):
    case: str
    slides: int
    read: int
    worst_verdict: Answer | None
    disagreements: int


class ReadingQueue(BaseModel):
    paused: bool
    waiting: int
    seconds_left: float | None


class StateCounts(BaseModel):
    unread: int
    queued: int
    reading: int
    read: int
    stale: int
    failed: int
    cancelled: int


class SlideList(BaseModel):
    slides: list[SlideSummary]
    total: int = Field(description="How many fit the filter.")
    page: int
    per_page: int
    counts: StateCounts = Field(description="Of the whole folder, whatever is filtered.")
    without_scale: int = Field(description="How many failed because they state no usable scale.")
    queue: ReadingQueue
    cases: list[SlideCase] = Field(description="Those of this page's slides.")
    notice: str


class SlideRegions(BaseModel):
    regions: list[SlideRegion]


class SlideReviews(BaseModel):
    reviews: list[SlideReviewKept]


class SlideTile(BaseModel):
    """What was read at one place: an answer, the gate's reasons, or why it could not be read."""

    area: SlideBox
    probability: float | None
    verdict: Answer | None
    second: Answer | None
    findings: list[FindingOut]
    reasons: list[str]
    problem: str | None
    warnings: list[str]
    tissue_mm2: float
