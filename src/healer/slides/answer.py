"""A slide's answer: as `slide.json` and everything beside it says it, and in words for its reports.

Add fields, never rename.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from healer import NOTICE, __version__
from healer.answer import ModelOut, SecondAnswerOut
from healer.display import percent, rough_percent
from healer.engines.base import Answer
from healer.questions.base import Question
from healer.screening.screener import UNLIKE_TRAINING
from healer.screening.verdict import SecondAnswer, Verdict
from healer.slides.cascade import Cascade
from healer.slides.draft import Draft
from healer.slides.reader import SlideInfo
from healer.slides.regions import Region, RegionKind, area_json
from healer.slides.score import SlideScores, SlideThresholds
from healer.slides.scoring import Coverage, TilePlan, TileResult
from healer.slides.unread import UnreadTissue

ANSWER = "slide.json"
FORMAT = 1
UNLIKE_SHARE = 0.2  # of the scored tiles
FINDINGS_SHOWN = 3


class Unanswered(StrEnum):
    """Why nothing was scored: "indeterminate" alone would pass for a doubtful reading."""

    NO_TISSUE = "no_tissue"
    NOTHING_READ = "nothing_read"


UNANSWERED = {
    Unanswered.NO_TISSUE: "No tissue found",
    Unanswered.NOTHING_READ: "No tissue could be read",
}


@dataclass(frozen=True, slots=True)
class SlideAnswer:
    """`first` is the verdict before a second model was asked. `tissue` is the mask over the whole
    slide, `unread` what of it was not read, `seconds` are by stage."""

    name: str
    info: SlideInfo
    question: Question
    model: ModelOut
    plan: TilePlan
    verdict: Verdict
    first: Verdict
    second: SecondAnswer | None
    scores: SlideScores
    thresholds: SlideThresholds
    rule: str
    calibration: str | None
    regions: tuple[Region, ...]
    coverage: Coverage
    least_coverage: float
    results: tuple[TileResult, ...]
    tissue: NDArray[np.bool_]
    unread: tuple[UnreadTissue, ...]
    cascade: Cascade | None
    seed: int
    seconds: Mapping[str, float]
    binding: Mapping[str, str]
    draft: Draft | None = None

    @property
    def suspicious(self) -> list[Region]:
        return [region for region in self.regions if region.kind is RegionKind.CANCER]

    @property
    def unanswered(self) -> Unanswered | None:
        if not self.coverage.tissue:
            return Unanswered.NO_TISSUE
        return None if self.coverage.read else Unanswered.NOTHING_READ

    @property
    def headline(self) -> str:
        unanswered = self.unanswered
        return UNANSWERED[unanswered] if unanswered else str(self.verdict.answer).capitalize()

    @property
    def unlike_training(self) -> int:
        """How many scored tiles are unlike all that the model learnt from."""
        return sum(UNLIKE_TRAINING in each.warnings for each in self.results)

    @property
    def warnings(self) -> list[str]:
        """Sentences of what to know of the slide beside its answer."""
        scored = self.scores.tiles
        if not scored or self.unlike_training < UNLIKE_SHARE * scored:
            return []
        share = percent(self.unlike_training / scored)
        return [
            f"{share} of the tiles are unlike the colorectal tissue that the model was trained on: "
            "the slide may show another organ, rare tissue or artefacts, and the answer may not "
            "hold."
        ]

    @property
    def sentence(self) -> str:
        """What the slide's answer is, in a sentence or two."""
        if self.unanswered:
            return self.verdict.reason or UNANSWERED[self.unanswered]
        words = self.question.sentences.get(self.verdict.answer, "")
        if self.verdict.reason:
            return f"{words} {self.verdict.reason}"
        if self.verdict.answer is Answer.YES and self.suspicious:
            area = self.suspicious[0].area_mm2
            return f"{words} The first of {_counted(self.suspicious)} covers {area:.2f} mm²."
        read = f"{words} {percent(self.coverage.share, 1)} of the tissue was read."
        if self.suspicious:
            read += (
                f" {_counted(self.suspicious)} of few tiles, which no others bear out, did not "
                "decide the answer."
            )
        return read

    def as_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "healer": __version__,
            "notice": NOTICE,
            "slide": self.name,
            "question": self.question.id,
            **self._verdict(),
            "scores": self.scores.as_json(),
            "thresholds": asdict(self.thresholds),
            "rule": self.rule,
            "slide_calibration": self.calibration,
            "coverage": {**self.coverage.as_json(), "least_share_for_no": self.least_coverage},
            "regions": [region.as_json(self.info.resolution) for region in self.regions],
            "cascade": self.cascade and self.cascade.as_json(self.model.id, self.first.answer),
            "draft": self.draft and self.draft.as_json(),
            "tiles": self._tiles(),
            **info_json(self.info),
            "model": self.model.model_dump(mode="json"),
            "seed": self.seed,
            "timings_s": {stage: round(seconds, 3) for stage, seconds in self.seconds.items()},
            "run": dict(self.binding),
        }

    def _verdict(self) -> dict[str, Any]:
        second = SecondAnswerOut.of(self.second)
        return {
            "verdict": str(self.verdict.answer),
            "unanswered": self.unanswered and str(self.unanswered),
            "probability": None if self.unanswered else round(self.verdict.probability, 6),
            "calibrated": self.verdict.calibrated,
            "reason": self.verdict.reason,
            "sentence": self.sentence,
            "first_verdict": str(self.first.answer),
            "warnings": self.warnings,
            "second_answer": second and second.model_dump(mode="json"),
        }

    def _tiles(self) -> dict[str, Any]:
        results = self.results
        return {
            "um_per_px": self.plan.um_per_px,
            "px": self.plan.px,
            "overlap": self.plan.overlap,
            "visited": len(results),
            "scored": self.scores.tiles,
            "excluded": sum(bool(each.reasons) and not each.problem for each in results),
            "unreadable": sum(each.problem is not None for each in results),
            "unlike_training": self.unlike_training,
        }


def _counted(regions: Sequence[Region]) -> str:
    return f"{len(regions)} suspicious region{'s' * (len(regions) != 1)}"


def info_json(info: SlideInfo) -> dict[str, Any]:
    return {
        "size": info.size,
        "mpp": asdict(info.resolution),
        "levels": [asdict(level) for level in info.levels],
        "bounds": area_json(info.bounds),
        "reader": info.reader,
        "colour": info.colour,
        "properties": dict(info.properties),
        "content_hash": info.content_hash,
    }


def sentences_of(answer: SlideAnswer) -> list[str]:
    lines = [answer.sentence, *answer.warnings]
    if answer.second:
        lines.append(answer.second.sentence)
    if answer.cascade:
        lines.append(answer.cascade.in_words(answer.model.id, answer.first.answer))
    if not answer.verdict.calibrated and not answer.unanswered:
        lines.append(
            "The score is not calibrated on slides: it ranks them, and is not the share of such "
            "slides that hold cancer."
        )
    return lines


def subtitle_of(answer: SlideAnswer) -> str:
    (width, height), scale = answer.info.size, answer.info.resolution
    return (
        f"{width:,} × {height:,} pixels, {width * scale.x / 1000:.1f} × "
        f"{height * scale.y / 1000:.1f} mm · {answer.model.id}"
    )


def ledger_rows(answer: SlideAnswer) -> list[tuple[str, str, str]]:
    """Account, mm², share of the tissue."""
    coverage = answer.coverage
    accounts = [
        ("read", coverage.read),
        *((f"excluded: {code.replace('_', ' ')}", mm2) for code, mm2 in coverage.excluded.items()),
        ("unreadable in the file", coverage.unreadable),
        ("not visited", coverage.unvisited),
        ("all tissue", coverage.tissue),
    ]
    return [
        (name, f"{mm2:.2f}", percent(mm2 / coverage.tissue, 1) if coverage.tissue else "–")
        for name, mm2 in accounts
        if mm2 or name in ("read", "all tissue")
    ]


def caption_of(answer: SlideAnswer, region: Region) -> list[str]:
    """A title, then a line each of its size and place, and of what was found."""
    x, y, _, _ = answer.info.resolution.mm(region.peak_area)
    if region.kind is RegionKind.PRECURSOR:
        kind = f"Precursor: {region.mark}"
    else:  # where no tile is a yes by itself, the doubtful ones are joined instead
        kind = "Suspected cancer" if answer.scores.positive_tiles else "Doubtful: possible cancer"
    findings = ", ".join(
        f"{finding.name} {rough_percent(finding.probability)}"
        for finding in region.findings[:FINDINGS_SHOWN]
    )
    return [
        f"{region.rank}. {kind}",
        f"{region.area_mm2:.2f} mm², {region.tiles} tile{'s' * (region.tiles != 1)}, "
        f"peak {region.peak:.3f} at {x:.2f}, {y:.2f} mm",
        findings,
    ]


def facts_of(answer: SlideAnswer) -> dict[str, str]:
    """Where the answer comes from."""
    info, plan, model = answer.info, answer.plan, answer.model
    return {
        "question": answer.question.id,
        "rule": answer.rule,
        "micrometres per pixel": (
            f"{info.resolution.x:.4g} × {info.resolution.y:.4g} ({info.resolution.source})"
        ),
        "reader": info.reader,
        "colour": info.colour,
        "levels": ", ".join(
            f"{level.width} × {level.height}{', decimated' * level.decimated}"
            for level in info.levels
        ),
        "tiles": f"{plan.px} pixels at {plan.um_per_px:g} µm, overlap {percent(plan.overlap)}",
        "model": f"{model.id}, revision {model.revision}, {model.device}, {model.dtype}",
        "calibration of tiles": model.calibration or "none",
        "calibration of slides": answer.calibration or "none",
        "seed": str(answer.seed),
        "slide's content": info.content_hash,
        "seconds": ", ".join(
            f"{stage.replace('_', ' ')} {seconds:.1f}" for stage, seconds in answer.seconds.items()
        ),
        "healer": answer.binding["healer"],
    }
