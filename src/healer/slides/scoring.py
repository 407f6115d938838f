"""Areas of a slide in, their results out, and how much of the tissue was read, in mm².

Areas are read ahead, gated, and scored in batches.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from healer.engines.base import Finding
from healer.engines.registry import ENGINES
from healer.errors.base import HealerError
from healer.images.tile import Tile
from healer.quality.gate import LoadedTile
from healer.screening.pipeline import score_each
from healer.screening.screener import Score, Screener
from healer.screening.verdict import OF_WINDOWS, SecondAnswer, second_answer
from healer.slides.overview import Mask
from healer.slides.reader import Area, Resolution, SlideReader, TileRead

LEAST_COVERAGE = 0.95  # of the tissue, before a slide is answered with "no"
UNVISITED, UNREADABLE, FIRST_REASON, READ = 0, 1, 2, 255
FALLBACK_TILES = 16
ENGINE_FAILED = "engine_failed"


@dataclass(frozen=True, slots=True)
class TileResult:
    """`probability`, `verdict` and `second` are None where the tile was not scored: `reasons` are
    then the gate's codes, or `problem` the code of the error that kept it from being read.
    `tissue_mm2` is the tissue in its area, whatever other tiles cover; `warnings` are codes of what
    to know of a tile that was scored."""

    area: Area
    um_per_px: float
    probability: float | None
    verdict: str | None
    second: SecondAnswer | None
    findings: tuple[Finding, ...]
    reasons: tuple[str, ...]
    problem: str | None
    tissue_mm2: float
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Coverage:
    """mm² of tissue: `read` by the model, `excluded` by the gate for each of its reasons,
    `unreadable` in the file, and `unvisited`. They add up to `tissue`."""

    tissue: float
    read: float
    excluded: Mapping[str, float]
    unreadable: float
    unvisited: float

    @property
    def share(self) -> float:
        """Of the tissue; 0 where there is none."""
        return self.read / self.tissue if self.tissue else 0.0

    def as_json(self) -> dict[str, object]:
        return {
            "tissue_mm2": round(self.tissue, 4),
            "read_mm2": round(self.read, 4),
            "excluded_mm2": {code: round(area, 4) for code, area in self.excluded.items()},
            "unreadable_mm2": round(self.unreadable, 4),
            "unvisited_mm2": round(self.unvisited, 4),
            "read_share": round(self.share, 4),
        }

    def in_words(self) -> str:
        """One sentence: what was read, and what not."""
        missing = [
            *(
                f"{area:.2f} mm² excluded as {code.replace('_', ' ')}"
                for code, area in self.excluded.items()
            ),
            *([f"{self.unreadable:.2f} mm² unreadable in the file"] * (self.unreadable > 0)),
            *([f"{self.unvisited:.2f} mm² not visited"] * (self.unvisited > 0)),
        ]
        rest = f"; {', '.join(missing)}" if missing else ""
        return f"{self.read:.2f} of {self.tissue:.2f} mm² of tissue were read{rest}."


class CoverageLedger:
    """Each pixel of the tissue mask has one fate, so that tiles that overlap count once. What was
    read in any tile is read; what was excluded in one and unreadable in another is excluded."""

    def __init__(self, mask: Mask) -> None:
        self._mask = mask
        self._fates = np.where(mask.unreadable, UNREADABLE, UNVISITED).astype(np.uint8)
        self._codes: list[str] = []

    def add(self, result: TileResult) -> None:
        block = self._fates[self._mask.pixels(result.area)]
        np.maximum(block, self._fate(result), out=block)

    def tissue_mm2(self, area: Area) -> float:
        """Of the tissue whose pixels have their centres in `area`."""
        return float(np.count_nonzero(self._mask.part(area)) * self._mask.mm2_per_px)

    def covered_mm2(self, areas: Iterable[Area]) -> float:
        """Of the tissue in any of `areas`."""
        covered = np.zeros_like(self._mask.tissue)
        for area in areas:
            covered[self._mask.pixels(area)] = True
        return float(np.count_nonzero(covered & self._mask.tissue) * self._mask.mm2_per_px)

    def unread(self) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        """Each reason for which tissue was not read, and the pixels of the mask that it holds
        for."""
        reasons = {"unvisited": UNVISITED, "unreadable": UNREADABLE}
        reasons |= {code: FIRST_REASON + at for at, code in enumerate(self._codes)}
        for reason, fate in reasons.items():
            pixels = self._mask.tissue & (self._fates == fate)
            if pixels.any():
                yield reason, pixels

    def coverage(self) -> Coverage:
        counts = np.bincount(self._fates[self._mask.tissue], minlength=256) * self._mask.mm2_per_px
        excluded = {
            code: float(counts[FIRST_REASON + at])
            for at, code in enumerate(self._codes)
            if counts[FIRST_REASON + at]
        }
        return Coverage(
            tissue=self._mask.mm2,
            read=float(counts[READ]),
            excluded=excluded,
            unreadable=float(counts[UNREADABLE]),
            unvisited=float(counts[UNVISITED]),
        )

    def _fate(self, result: TileResult) -> int:
        if result.problem is not None:
            return UNREADABLE
        if result.probability is not None:
            return READ
        code = result.reasons[0] if result.reasons else "not_scored"
        if code not in self._codes:
            self._codes.append(code)
        return FIRST_REASON + self._codes.index(code)


@dataclass(frozen=True, slots=True)
class TilePlan:
    """How tiles lie: `px` a side at `um_per_px`, each sharing `overlap` of its side with the
    next."""

    um_per_px: float
    px: int
    overlap: float = 0.0


# Scores of tiles in order, or why there is none; a service has them made by its workers.
ScoreTiles = Callable[[Screener, Sequence[Tile]], Sequence[Score | BaseException]]


class TileResults(Protocol):
    def results(self, areas: Iterable[Area]) -> Iterator[list[TileResult]]:
        """Of each area once, some at a time and in any order."""
        ...


TileScorerFactory = Callable[[SlideReader, Screener, TilePlan, CoverageLedger], TileResults]


def unread_tile(area: Area, plan: TilePlan, problem: str, tissue_mm2: float) -> TileResult:
    return TileResult(area, plan.um_per_px, None, None, None, (), (), problem, tissue_mm2)


@dataclass(frozen=True, slots=True)
class TileScorer:
    """`ledger` says how much tissue an area holds; without one, none is said to."""

    reader: SlideReader
    screener: Screener
    plan: TilePlan
    ledger: CoverageLedger | None = None
    score_tiles: ScoreTiles = score_each

    def results(self, areas: Iterable[Area]) -> Iterator[list[TileResult]]:
        """A batch at a time; whatever fails on a tile is its own result's problem."""
        reads = self.reader.tiles(areas, (self.plan.px, self.plan.px), gate="warn")
        while batch := list(islice(reads, batch_of(self.screener))):
            yield self._scored(batch)

    def _scored(self, batch: Sequence[TileRead]) -> list[TileResult]:
        tiles = [tile for read in batch if (tile := assessable(read)) is not None]
        scores = iter(self.score_tiles(self.screener, tiles))
        return [
            self._result(read, None if assessable(read) is None else next(scores)) for read in batch
        ]

    def _result(self, read: TileRead, score: Score | BaseException | None) -> TileResult:
        reasons, problem = _refusal(read.loaded)
        if score is not None and not isinstance(score, Score):
            score, problem = None, str(getattr(score, "code", ENGINE_FAILED))
        verdict = score.verdict if score else None
        findings = score.evidence.findings if score else ()
        return TileResult(
            area=read.area,
            um_per_px=self.plan.um_per_px,
            probability=verdict.probability if verdict else None,
            verdict=verdict.answer if verdict else None,
            second=second_answer(verdict, findings, OF_WINDOWS) if verdict else None,
            findings=findings,
            reasons=reasons,
            problem=problem,
            tissue_mm2=self.ledger.tissue_mm2(read.area) if self.ledger else 0.0,
            warnings=tuple(warning.code for warning in score.warnings) if score else (),
        )


def assessable(read: TileRead) -> Tile | None:
    """The tile, where it was read and the gate passed it."""
    loaded = read.loaded
    return loaded.tile if isinstance(loaded, LoadedTile) and loaded.unopposed else None


def _refusal(loaded: LoadedTile | HealerError) -> tuple[tuple[str, ...], str | None]:
    """The gate's codes, or the code of the error that left the tile unread."""
    if isinstance(loaded, HealerError):
        return (), loaded.code
    return tuple(reason.code for reason in loaded.gate.reasons) if loaded.gate else (), None


def batch_of(screener: Screener) -> int:
    spec = ENGINES.get(screener.info.engine)
    return (spec.offline_tiles if spec else None) or FALLBACK_TILES


def on_white(rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """RGB, in which what the scanner left out is white, as glass is."""
    alpha = rgba[..., 3:].astype(np.uint16)
    return ((rgba[..., :3] * alpha + 255 * (255 - alpha)) // 255).astype(np.uint8)


def area_around(area: Area, side_um: float, resolution: Resolution) -> Area:
    """A square of `side_um` with the same centre."""
    width, height = (max(1, round(side_um / scale)) for scale in (resolution.x, resolution.y))
    x, y = area.centre
    return Area(round(x - width / 2), round(y - height / 2), width, height)
