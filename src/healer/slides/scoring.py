"""Areas of a slide in, their results out: read ahead by the reader, gated, scored in batches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from healer.engines.registry import ENGINES
from healer.errors.base import HealerError
from healer.images.tile import Tile
from healer.quality.gate import LoadedTile
from healer.screening.pipeline import score_each
from healer.screening.screener import Score, Screener
from healer.screening.verdict import OF_WINDOWS, second_answer
from healer.slides.coverage import CoverageLedger
from healer.slides.geometry import Area, Resolution
from healer.slides.reader import SlideReader, TileRead
from healer.slides.result import TileResult

FALLBACK_TILES = 16
ENGINE_FAILED = "engine_failed"


@dataclass(frozen=True, slots=True)
class TilePlan:
    """How tiles lie: `px` a side at `um_per_px`, each sharing `overlap` of its side with the
    next."""

    um_per_px: float
    px: int
    overlap: float = 0.0


@dataclass(frozen=True, slots=True)
class TileScorer:
    """`ledger` says how much tissue an area holds."""

    reader: SlideReader
    screener: Screener
    plan: TilePlan
    ledger: CoverageLedger

    def results(self, areas: Iterable[Area]) -> Iterator[list[TileResult]]:
        """A batch at a time; whatever fails on a tile is its own result's problem."""
        reads = self.reader.tiles(areas, (self.plan.px, self.plan.px), gate="warn")
        while batch := list(islice(reads, batch_of(self.screener))):
            yield self._scored(batch)

    def _scored(self, batch: Sequence[TileRead]) -> list[TileResult]:
        tiles = [tile for read in batch if (tile := assessable(read)) is not None]
        scores = iter(score_each(self.screener, tiles))
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
            tissue_mm2=self.ledger.tissue_mm2(read.area),
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
