"""One slide, from an open reader to its answer. What was read is kept in parts, and a run that was
killed goes on from them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from math import ceil

from healer import __version__
from healer.answer import ModelOut
from healer.screening.screener import Screener
from healer.screening.verdict import Verdict
from healer.screening.wide_field import scale_of
from healer.slides.answer import SlideAnswer
from healer.slides.cascade import PATCHES, AskOne, Cascade, ask_about, choose_patches, screened_by
from healer.slides.draft import DraftWriter, OnDraft, ignore_draft
from healer.slides.grid import ReadingOrder, areas_between, tile_areas
from healer.slides.overview import Mask, tissue_mask
from healer.slides.reader import Area, SlideInfo, SlideReader
from healer.slides.regions import Region, find_regions
from healer.slides.score import (
    CALIBRATED_RULE,
    RULE,
    SECOND,
    SlideCalibration,
    SlideScores,
    SlideThresholds,
    decide_slide,
    second_of_slide,
)
from healer.slides.scoring import (
    LEAST_COVERAGE,
    Coverage,
    CoverageLedger,
    TilePlan,
    TileResult,
    TileResults,
    TileScorer,
    TileScorerFactory,
)
from healer.slides.tiles import TileParts
from healer.slides.unread import unread_tissue

TILE_PX = 224
UM_PER_PX = 1.0  # of engines that state no scale of their own
PART_TILES = 64
FIRST_MAP_TILES = 64
MAP_GROWTH = 2.0  # times as many tiles as the last map showed


@dataclass(frozen=True, slots=True)
class SlideOptions:
    """`least_coverage` of the tissue must be read before the answer is no. `overlap` is the share
    of a tile's side that its neighbour shares; `patches` are shown to a second model one by one,
    `draft_patches` all at once for the draft of a report (0: no draft)."""

    least_coverage: float = LEAST_COVERAGE
    overlap: float = 0.0
    patches: int = PATCHES
    seed: int = 0
    draft_patches: int = 0

    def as_binding(self) -> dict[str, str]:
        return {f"option {name}": str(value) for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class Progress:
    """`kept` tiles were read by an earlier run."""

    done: int
    total: int
    kept: int


OnProgress = Callable[[Progress], None]
OnMap = Callable[[SlideInfo, Mask, Sequence[TileResult]], object]


def plan_for(screener: Screener, overlap: float) -> TilePlan:
    """Tiles of the size and scale that the model was trained on."""
    scale = scale_of(screener.engine)
    return TilePlan(scale.window / TILE_PX if scale else UM_PER_PX, TILE_PX, overlap)


def binding_of(info: SlideInfo, screener: Screener, plan: TilePlan) -> dict[str, str]:
    """Everything that a tile's result depends on."""
    scale = info.resolution
    return {
        "healer": __version__,
        "slide": info.content_hash,
        "mpp": f"{scale.x:.6g} x {scale.y:.6g}",
        "colour": info.colour,
        "tiles": f"{plan.px} px at {plan.um_per_px:.6g} um, overlap {plan.overlap:.3g}",
        **screener.binding(),
    }


def second_binding_of(screener: Screener) -> dict[str, str]:
    """What an answer depends on besides, where a second model was shown places."""
    return {f"{SECOND}{name}": value for name, value in screener.binding().items()}


@dataclass(slots=True)
class SlideRun:
    """`known` are tiles of a finished run. `scorer` makes what reads and scores the others, here or
    on other machines. `second` is the model that is asked about regions.
    `on_map` is called early, and then each time `map_growth` times as much is known."""

    name: str
    binding: Mapping[str, str]
    reader: SlideReader
    screener: Screener
    parts: TileParts
    options: SlideOptions = field(default_factory=SlideOptions)
    known: Sequence[TileResult] = ()
    calibration: SlideCalibration | None = None
    second: Screener | None = None
    ask: AskOne | None = None
    scorer: TileScorerFactory = TileScorer
    on_progress: OnProgress = lambda _: None
    on_map: OnMap = lambda _info, _mask, _results: None
    on_draft: OnDraft = ignore_draft
    map_growth: float = MAP_GROWTH
    _results: dict[Area, TileResult] = field(default_factory=dict)
    _seconds: dict[str, float] = field(default_factory=dict)
    _kept: int = 0

    def answer(self) -> SlideAnswer:
        """Raises `healer.errors.HealerError`."""
        info, plan = self.reader.info, plan_for(self.screener, self.options.overlap)
        cut = ModelOut.of(self.screener).thresholds.upper
        kept = self.parts.bind(binding_of(info, self.screener, plan))
        self._results = {result.area: result for result in (*self.known, *kept)}
        self._kept = len(self._results)
        with self._timed("tissue"):
            mask = tissue_mask(self.reader)
        ledger = CoverageLedger(mask)
        scorer = self.scorer(self.reader, self.screener, plan, ledger)
        with self._timed("tiles"):
            areas = tile_areas(mask, info.resolution, plan.um_per_px, plan.px, plan.overlap)
            self._read(scorer, areas, mask, cut)
            between = areas_between(list(self._results.values()), cut)
            self._read(scorer, [a for a in between if ledger.tissue_mm2(a) > 0], mask, cut)
        return self._with_draft(self._concluded(mask, ledger, plan, cut))

    def _read(self, scorer: TileResults, areas: Sequence[Area], mask: Mask, cut: float) -> None:
        unread = [area for area in areas if area not in self._results]
        order, total = ReadingOrder(unread, cut), len(self._results) + len(unread)
        order.learn(list(self._results.values()))
        next_map = FIRST_MAP_TILES
        pending: list[TileResult] = []
        try:
            for group in scorer.results(order):
                order.learn(group)
                pending += group
                self._results |= {result.area: result for result in group}
                if len(pending) >= PART_TILES:
                    self.parts.save(pending)
                    pending = []
                if len(self._results) >= next_map:
                    self.on_map(self.reader.info, mask, list(self._results.values()))
                    next_map = ceil(self.map_growth * len(self._results))
                self.on_progress(Progress(len(self._results), total, self._kept))
        finally:
            self.parts.save(pending)

    def _concluded(
        self, mask: Mask, ledger: CoverageLedger, plan: TilePlan, cut: float
    ) -> SlideAnswer:
        info = self.reader.info
        results = sorted(self._results.values(), key=lambda each: (each.area.y, each.area.x))
        for result in results:
            ledger.add(result)
        coverage, model = ledger.coverage(), ModelOut.of(self.screener)
        thresholds = SlideThresholds.of(self.calibration, model.thresholds)
        scored = [each for each in results if each.probability is not None]
        positive = [each for each in scored if (each.probability or 0.0) >= cut]
        positive_mm2 = ledger.covered_mm2([each.area for each in positive])
        scores = SlideScores.of(scored, positive_mm2, cut)
        first = self._first_verdict(scores, thresholds, coverage)
        # Where no tile is a yes, the doubtful ones say where to look.
        regions = find_regions(scored, info.resolution, cut if positive else model.thresholds.lower)
        cascade = self._ask_second(regions, scored)
        verdict = cascade.verdict_after(first, self.screener.info.model_id) if cascade else first
        return SlideAnswer(
            name=self.name,
            info=info,
            question=self.screener.question,
            model=model,
            plan=plan,
            verdict=verdict,
            first=first,
            second=second_of_slide(scored, verdict, regions),
            scores=scores,
            thresholds=thresholds,
            rule=CALIBRATED_RULE if self.calibration else RULE,
            calibration=self.calibration.id if self.calibration else None,
            regions=tuple(regions),
            coverage=coverage,
            least_coverage=self.options.least_coverage,
            results=tuple(results),
            tissue=mask.tissue,
            unread=tuple(unread_tissue(ledger, mask)),
            cascade=cascade,
            seed=self.options.seed,
            seconds=self._seconds,
            binding=self.binding,
        )

    def _first_verdict(
        self, scores: SlideScores, thresholds: SlideThresholds, coverage: Coverage
    ) -> Verdict:
        """Before a second model is asked."""
        calibration = self.calibration
        return decide_slide(
            calibration.probability(scores.score) if calibration else scores.score,
            thresholds,
            coverage,
            self.options.least_coverage,
            calibrated=calibration is not None,
        )

    def _ask_second(
        self, regions: Sequence[Region], scored: Sequence[TileResult]
    ) -> Cascade | None:
        """What a second model says of the places that matter; None where none is to be asked."""
        options = self.options
        if self.second is None or not scored or not options.patches:
            return None
        info, count, seed = self.reader.info, options.patches, options.seed
        patches = choose_patches(regions, scored, info.resolution, count, seed, within=info.bounds)
        ask = self.ask or partial(screened_by, self.second)
        with self._timed("second_model"):
            answers = tuple(ask_about(ask, self.reader, patches))
        return Cascade(self.second.info.model_id, answers, options.seed, options.patches)

    def _with_draft(self, answer: SlideAnswer) -> SlideAnswer:
        """Last, since it begins with the verdict."""
        options = self.options
        if self.second is None or not options.draft_patches:
            return answer
        scored = [each for each in answer.results if each.probability is not None]
        count, seed = options.draft_patches, options.seed
        writer = DraftWriter(
            self.second, self.reader, answer.regions, scored, count, seed, self.on_draft
        )
        with self._timed("draft"):
            draft = writer.write(answer.sentence, answer.verdict.answer)
        return replace(answer, draft=draft)

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        started = time.perf_counter()
        yield
        self._seconds[stage] = time.perf_counter() - started
