"""A second model, shown the places that matter: it confirms what was read, doubts it, or is
silent."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

import numpy as np

from healer.engines.base import Answer
from healer.errors.base import HealerError
from healer.images.tile import Tile
from healer.screening.pipeline import engine_error, score_each
from healer.screening.screener import Score, Screener, Screening, to_screening
from healer.screening.verdict import Verdict
from healer.slides.reader import Area, Resolution, SlideReader
from healer.slides.regions import Region, RegionKind, area_json
from healer.slides.scoring import TileResult, area_around, on_white

PATCH_PX = 896
PATCH_UM_PER_PX = 0.5  # a field of 448 µm, within what such models are shown
PATCH_UM = PATCH_PX * PATCH_UM_PER_PX
PATCHES = 8
SUSPICIOUS_SHARE = 0.75  # of the patches; the others are spread over the tissue
AskOne = Callable[[Tile], Screening]


class Opinion(StrEnum):
    CONFIRMS = "confirms"
    DOUBTS = "doubts"
    SILENT = "silent"


@dataclass(frozen=True, slots=True)
class Patch:
    """`region` is the rank of the region of cancer that it shows, None elsewhere; `first` what
    was read in the tile at its centre."""

    area: Area
    region: int | None
    first: Answer


@dataclass(frozen=True, slots=True)
class PatchAnswer:
    patch: Patch
    opinion: Opinion
    verdict: Answer | None
    probability: float | None
    sentence: str

    def as_json(self) -> dict[str, Any]:
        return {
            "box": area_json(self.patch.area),
            "region": self.patch.region,
            "first_verdict": str(self.patch.first),
            "verdict": self.verdict and str(self.verdict),
            "probability": self.probability,
            "opinion": str(self.opinion),
            "sentence": self.sentence,
        }


def choose_patches(
    regions: Sequence[Region],
    scored: Sequence[TileResult],
    resolution: Resolution,
    count: int,
    seed: int,
    side_um: float = PATCH_UM,
    within: Area | None = None,
) -> list[Patch]:
    """Peaks of regions of cancer by rank, then the highest tiles elsewhere; then one at random by
    `seed`, and each as far from all before it as can be. None overlaps another, and each is moved
    to lie in what was scanned, `within`, where it can."""
    chosen = _Chosen(resolution, side_um, within)
    by_area = {each.area: each for each in scored}
    for region in regions:
        if region.kind is RegionKind.CANCER:
            chosen.add(by_area[region.peak_area], region.rank, _suspicious(count))
    ranked = sorted(scored, key=lambda each: -(each.probability or 0.0))
    for tile in ranked:
        chosen.add(tile, None, _suspicious(count))
    for tile in _spread(scored, [patch.area for patch in chosen.patches], count, seed):
        chosen.add(tile, None, count)
    return chosen.patches


def _suspicious(count: int) -> int:
    return math.ceil(count * SUSPICIOUS_SHARE)


class _Chosen:
    def __init__(self, resolution: Resolution, side_um: float, within: Area | None) -> None:
        self.patches: list[Patch] = []
        self._resolution, self._side_um, self._within = resolution, side_um, within

    def add(self, tile: TileResult, region: int | None, most: int) -> None:
        area = self._free_area(tile)
        if area is not None and len(self.patches) < most:
            self.patches.append(Patch(area, region, Answer(tile.verdict or Answer.INDETERMINATE)))

    def _free_area(self, tile: TileResult) -> Area | None:
        """Moved into what was scanned; around the tile where that place is taken."""
        around = area_around(tile.area, self._side_um, self._resolution)
        moved = around if self._within is None else _moved_into(around, self._within)
        taken = [patch.area for patch in self.patches]
        free = (
            area for area in (moved, around) if not any(area.intersection(other) for other in taken)
        )
        return next(free, None)


def _moved_into(area: Area, within: Area) -> Area:
    """One that is larger than `within` stays where it is, along that axis."""
    x, y = area.x, area.y
    if area.width <= within.width:
        x = min(max(x, within.x), within.right - area.width)
    if area.height <= within.height:
        y = min(max(y, within.y), within.bottom - area.height)
    return replace(area, x=x, y=y)


def _spread(
    scored: Sequence[TileResult], taken: Sequence[Area], count: int, seed: int
) -> Iterator[TileResult]:
    """One at random in the half of the tiles that is away from `taken`, then farthest first
    (Gonzalez 1985)."""
    if not scored:
        return
    centres = np.array([each.area.centre for each in scored])
    away = np.full(len(scored), np.inf)
    for area in taken:
        away = np.minimum(away, np.hypot(*(centres - area.centre).T))
    half = np.flatnonzero(away >= np.median(away))
    at = int(np.random.default_rng(seed).choice(half))
    for _ in range(min(count, len(scored))):
        yield scored[at]
        away = np.minimum(away, np.hypot(*(centres - centres[at]).T))
        at = int(away.argmax())


def screened_by(screener: Screener, tile: Tile) -> Screening:
    """Raises HealerError."""
    (score,) = score_each(screener, [tile])
    if not isinstance(score, Score):
        raise engine_error(score)
    return to_screening(score, screener.explain(score))


def ask_about(ask: AskOne, reader: SlideReader, patches: Sequence[Patch]) -> Iterator[PatchAnswer]:
    """One at a time: each may take a minute."""
    for patch in patches:
        try:
            pixels = on_white(reader.read(patch.area, (PATCH_PX, PATCH_PX)))
            yield _answer(patch, ask(Tile(pixels=pixels, mpp=PATCH_UM_PER_PX)))
        except HealerError as error:
            yield PatchAnswer(patch, Opinion.SILENT, None, None, str(error))


def _answer(patch: Patch, screening: Screening) -> PatchAnswer:
    verdict = screening.verdict
    return PatchAnswer(
        patch,
        opinion_of(patch.first, verdict.answer),
        verdict.answer,
        verdict.probability,
        screening.explanation,
    )


def opinion_of(first: Answer, second: Answer) -> Opinion:
    if Answer.INDETERMINATE in (first, second):
        return Opinion.SILENT
    return Opinion.CONFIRMS if first is second else Opinion.DOUBTS


@dataclass(frozen=True, slots=True)
class Cascade:
    """What the second model, `model`, said of each patch."""

    model: str
    answers: tuple[PatchAnswer, ...]
    seed: int
    asked_for: int

    def of_region(self, rank: int) -> list[PatchAnswer]:
        return [each for each in self.answers if each.patch.region == rank]

    def in_words(self, first_model: str, verdict: Answer) -> str:
        """Who said what."""
        counts = Counter(answer.opinion for answer in self.answers)
        said = ", ".join(
            f"{word} {counts[opinion]}"
            for opinion, word in (
                (Opinion.CONFIRMS, "confirmed"),
                (Opinion.DOUBTS, "doubted"),
                (Opinion.SILENT, "was silent on"),
            )
            if counts[opinion]
        )
        shown = f"{len(self.answers)} place{'s' * (len(self.answers) != 1)}"
        return (
            f"{first_model} read every tile and said {verdict}; {self.model} was shown {shown}: "
            f"it {said or 'was asked nothing'}."
        )

    def verdict_after(self, first: Verdict, first_model: str) -> Verdict:
        """Where the two disagree about the slide, it is open: a yes whose regions are all doubted,
        a no against which one place is read as cancer."""
        of_regions = [each.opinion for each in self.answers if each.patch.region is not None]
        doubted = Opinion.DOUBTS in of_regions and Opinion.CONFIRMS not in of_regions
        seen = [each for each in self.answers if each.verdict is Answer.YES]
        disagree = (first.answer is Answer.YES and doubted) or (
            first.answer is Answer.NO and bool(seen)
        )
        if not disagree:
            return first
        reason = f"The two models disagree. {self.in_words(first_model, first.answer)}"
        return replace(first, answer=Answer.INDETERMINATE, reason=reason)

    def as_json(self, first_model: str, verdict: Answer) -> dict[str, Any]:
        return {
            "model": self.model,
            "patch_px": PATCH_PX,
            "patch_um_per_px": PATCH_UM_PER_PX,
            "seed": self.seed,
            "patches_asked_for": self.asked_for,
            "sentence": self.in_words(first_model, verdict),
            "patches": [answer.as_json() for answer in self.answers],
        }
