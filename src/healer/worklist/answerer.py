"""The model that reads the folder's slides: the one that is served, or the built-in one beside it.

A slide is read by the built-in model; nothing else is quick enough. Where that is what the service
serves, its workers score a slide's tiles too, a batch at a time, whenever no uploaded tile waits.
Another model that is served is shown the places that matter, one at a time, as tiles are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from shutil import rmtree

from healer import __version__
from healer.answer import ModelOut
from healer.errors.base import HealerError, ShuttingDown
from healer.errors.engine import ModelNotReady
from healer.errors.slides import SlideRunMismatch
from healer.images.tile import Tile
from healer.screening.screener import Score, Screener, Screening
from healer.settings.loading import Settings
from healer.slides.answer import ANSWER
from healer.slides.cascade import AskOne
from healer.slides.listing import ListedSlide
from healer.slides.overview import Mask
from healer.slides.reader import SlideInfo
from healer.slides.regions import find_regions
from healer.slides.run import SlideOptions, second_binding_of
from healer.slides.scoring import TileResult, TileScorer
from healer.slides.slide_screener import SlideScreener
from healer.slides.tiles import FOLDER as PARTS
from healer.worklist.catalogue import SlideEntry
from healer.worklist.readings import ReadingHooks, ReadingInterrupted
from healer.worklist.records import Json
from healer.worklist.results import TileMap, numbered

MAP_GROWTH = 1.15  # so that who watches sees the map grow
STATED = "reader"  # whose word a scale is that somebody stated on the page
ServedScreener = Callable[[], Screener]
ScoreMany = Callable[[Sequence[Tile]], Sequence[Score | HealerError]]


@dataclass(frozen=True)
class ServedSecond:
    """The service's model where it is not the built-in one: `screener` raises HealerError while
    there is none, `ask` has it look at one place."""

    screener: ServedScreener
    ask: AskOne

    def ready(self) -> Screener | None:
        return _ready(self.screener)

    def asked(self, hooks: ReadingHooks, tile: Tile) -> Screening:
        """Raises ReadingInterrupted, also where the service stops: that says nothing of a place."""
        hooks.check()
        try:
            return self.ask(tile)
        except (ShuttingDown, ModelNotReady):
            raise ReadingInterrupted from None


def _ready(served: ServedScreener) -> Screener | None:
    try:
        return served()
    except HealerError:
        return None


class SlideModel:
    """`served` gives the service's own model, and raises HealerError while there is none; it is
    None where another engine than the built-in one is served."""

    def __init__(
        self,
        settings: Settings,
        out: Path,
        served: ServedScreener | None,
        score_many: ScoreMany,
        second: ServedSecond | None = None,
    ) -> None:
        self._settings, self._out = settings, out
        self._served, self._score_many, self._second = served, score_many, second

    @cached_property
    def _own(self) -> SlideScreener:
        opened = SlideScreener(self._settings, self._out)
        _ = opened.screener
        return opened

    def ready(self) -> bool:
        try:
            _ = self._served() if self._served else self._own
        except HealerError:
            return False
        return True

    def binding(self) -> Mapping[str, str]:
        """What a result must have been read with to be this model's, and, where it was shown to
        another, to that one's; without a model that is not open, and so not known, yet."""
        binding = {"healer": __version__}
        if screener := self._opened():
            binding |= screener.binding()
        if self._second and (second := self._second.ready()):
            binding |= second_binding_of(second)
        return binding

    def _opened(self) -> Screener | None:
        if self._served:
            return _ready(self._served)
        return self._own.screener if "_own" in vars(self) else None

    def answer(self, entry: SlideEntry, mpp: float | None, hooks: ReadingHooks) -> Json:
        """What `slide.json` says. What another model has read is begun again."""
        try:
            return self._answer(entry, mpp, hooks)
        except SlideRunMismatch:
            return self._answer(entry, mpp, hooks, fresh=True)

    def discard(self, slide_id: str) -> None:
        (self._out / slide_id / ANSWER).unlink(missing_ok=True)
        rmtree(self._out / slide_id / PARTS, ignore_errors=True)

    def close(self) -> None:
        if "_own" in vars(self):
            self._own.close()

    def _answer(
        self, entry: SlideEntry, mpp: float | None, hooks: ReadingHooks, *, fresh: bool = False
    ) -> Json:
        if fresh:
            rmtree(self._out / entry.id / PARTS, ignore_errors=True)
        reading = SlideScreener(
            self._settings,
            self._out,
            mpp=mpp if mpp is not None else entry.mpp,
            mpp_source=STATED if mpp is not None else "list",
            fresh=fresh,
            served=self._served() if self._served else self._own.screener,
            map_growth=MAP_GROWTH,
        )
        if self._served:
            reading.scorer = partial(TileScorer, score_tiles=self._scored)
        self._add_second(reading, hooks)
        cuts = ModelOut.of(reading.screener).thresholds

        def mapped(info: SlideInfo, _mask: Mask, results: Sequence[TileResult]) -> None:
            scored = [each for each in results if each.probability is not None]
            is_positive = any((each.probability or 0.0) >= cuts.upper for each in scored)
            cut = cuts.upper if is_positive else cuts.lower
            found = find_regions(scored, info.resolution, cut)
            hooks.mapped(TileMap.of(results), numbered(r.as_json(info.resolution) for r in found))

        reading.on_map = mapped
        return reading.answer(ListedSlide(entry.path, entry.id), hooks.progressed)

    def _add_second(self, reading: SlideScreener, hooks: ReadingHooks) -> None:
        """A slide is read without it, rather than not at all, where it cannot answer now."""
        patches, second = self._settings.slide_patches, self._second
        if second is None or not patches or (screener := second.ready()) is None:
            return
        reading.options = SlideOptions(patches=patches)
        reading.served_second, reading.ask = screener, partial(second.asked, hooks)

    def _scored(
        self, _screener: Screener, tiles: Sequence[Tile]
    ) -> Sequence[Score | BaseException]:
        """By the service's workers. That they are gone is no fault of the tiles."""
        try:
            return self._score_many(tiles)
        except HealerError:
            raise ReadingInterrupted from None
