"""Answers slides one after another into their folders, with models that are opened once.

`slide.json` is written last, so that where it is, all the rest of a slide's folder is.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from healer.display import printable
from healer.engines import builtin
from healer.errors.request import OutputNotWritable
from healer.errors.slides import SlideAnswersNotWritable, SlideRunMismatch
from healer.files.parts import differing
from healer.screening.calibration import Binding
from healer.screening.opening import EngineChoice, choose_engine, open_screener
from healer.screening.screener import Screener
from healer.settings.loading import Settings
from healer.slides.answer import ANSWER, SlideAnswer
from healer.slides.cascade import AskOne
from healer.slides.draft import OnDraft, draft_engine, ignore_draft
from healer.slides.export import (
    region_features,
    tile_features,
    unread_features,
    write_geojson,
    write_json,
)
from healer.slides.heatmap import (
    Raster,
    over,
    overlay,
    thumbnail_scale,
    write_picture,
    write_pyramid,
)
from healer.slides.listing import ListedSlide
from healer.slides.opening import SlideSource
from healer.slides.reader import ColourChoice, Resolution, SlideReader
from healer.slides.report import patch_views, region_views, write_report
from healer.slides.report_pdf import write_pdf
from healer.slides.run import (
    MAP_GROWTH,
    OnMap,
    Progress,
    SlideOptions,
    SlideRun,
    binding_of,
    plan_for,
    second_binding_of,
)
from healer.slides.score import load_slide_calibration, read_slide_calibration
from healer.slides.scoring import TileResult, TileScorer, TileScorerFactory, on_white
from healer.slides.tiles import TileParts, read_tiles, write_tiles

TILES, TISSUE, UNREAD = "tiles.parquet", "tissue.png", "unread.geojson"
OWN_READERS = 2  # where others read the tiles
Json = dict[str, Any]
OnProgress = Callable[[Progress], None]
OpenSlide = Callable[[ListedSlide, Resolution | None], SlideReader]
OnAnswered = Callable[[ListedSlide, Path], object]


@dataclass(slots=True)
class SlideFolder:
    """Raises `healer.errors.slides`."""

    folder: Path
    _thumbnail: Image.Image | None = field(default=None, init=False)

    def parts(self) -> TileParts:
        return TileParts(self.folder)

    def finished(self, binding: Mapping[str, str]) -> dict[str, Any] | None:
        """The answer of an earlier run that was of the same slide, model and options."""
        document = self._answer()
        return document if document and document["run"] == dict(binding) else None

    def known_results(self, binding: Mapping[str, str]) -> list[TileResult]:
        """Tiles of a finished run that were read alike, whatever its options. Raises
        SlideRunMismatch where they were read otherwise."""
        document = self._answer()
        if document is None:
            return []
        if differs := differing(document["run"], binding, binding):
            raise SlideRunMismatch(self.folder.name, differs)
        try:
            return read_tiles(self.folder / TILES)
        except (OSError, pa.ArrowException):
            return []

    def _answer(self) -> dict[str, Any] | None:
        try:
            document: dict[str, Any] = json.loads((self.folder / ANSWER).read_text("utf-8"))
        except (OSError, ValueError):
            return None
        return document if isinstance(document.get("run"), dict) else None

    def discard_answer(self) -> None:
        (self.folder / ANSWER).unlink(missing_ok=True)

    def write_map(
        self, reader: SlideReader, tissue: NDArray[np.bool_], results: Sequence[TileResult]
    ) -> Image.Image:
        """`thumbnail.png` once, and `heatmap.png` as far as it is known; the map's own layer."""
        thumbnail = self._picture(reader)
        raster = Raster(thumbnail.width, thumbnail.height, reader.info.size)
        layer = overlay(results, tissue, raster)
        with self._write_errors():
            write_picture(self.folder / "heatmap.png", over(thumbnail, layer))
        return layer

    def write(self, answer: SlideAnswer, reader: SlideReader) -> dict[str, Any]:
        """Every file; what `slide.json` says."""
        layer = self.write_map(reader, answer.tissue, answer.results)
        views, patches = region_views(answer, reader), patch_views(answer, reader)
        document = answer.as_json()
        with self._write_errors():
            write_tiles(self.folder / TILES, answer.results, {"slide": answer.name})
            write_picture(self.folder / TISSUE, Image.fromarray(answer.tissue))
            bounds = answer.info.bounds
            write_geojson(self.folder / "tiles.geojson", tile_features(answer), bounds)
            write_geojson(self.folder / "regions.geojson", region_features(answer), bounds)
            write_geojson(self.folder / UNREAD, unread_features(answer), bounds)
            write_pyramid(self.folder / "heatmap.ome.tif", answer.results, answer.info)
            report = self.folder / "report.html"
            write_report(report, answer, self._picture(reader), layer, views, patches)
            overview = over(self._picture(reader), layer)
            write_pdf(self.folder / "report.pdf", answer, overview, views, patches)
            write_json(self.folder / ANSWER, document)
        return document

    def _picture(self, reader: SlideReader) -> Image.Image:
        if self._thumbnail is None:
            pixels = on_white(reader.thumbnail(thumbnail_scale(reader.info)))
            self._thumbnail = Image.fromarray(pixels)
            with self._write_errors():
                write_picture(self.folder / "thumbnail.png", self._thumbnail)
        return self._thumbnail

    @contextmanager
    def _write_errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or type(error).__name__
            raise SlideAnswersNotWritable(self.folder.name, reason) from None


class TileWorkers(Protocol):
    """Other processes that read and score tiles."""

    def scorer(self, source: SlideSource) -> TileScorerFactory: ...

    def stop(self) -> None:
        """Ends the reading of every slide."""
        ...


@dataclass
class SlideScreener:
    """`mpp` is of slides whose list states none, `mpp_source` says whose word it is.
    `second_engine` is asked about the most suspicious places; `fresh` begins again what an earlier
    run has read. `opener` is for slides that are no files; `on_answered` is called with a slide's
    finished folder. With `workers`, this process reads overviews and pictures alone, and may answer
    several at once. `served` and `served_second` are models that are open already, `scorer` has the
    one score tiles, `ask` has the other look at a place."""

    settings: Settings
    out: Path
    options: SlideOptions = field(default_factory=SlideOptions)
    mpp: float | None = None
    colour: ColourChoice = "raw"
    second_engine: str | None = None
    fresh: bool = False
    calibration: Path | None = None
    opener: OpenSlide | None = None
    on_answered: OnAnswered = lambda _slide, _folder: None
    workers: TileWorkers | None = None
    mpp_source: str = "--mpp"
    served: Screener | None = None
    served_second: Screener | None = None
    ask: AskOne | None = None
    scorer: TileScorerFactory = TileScorer
    on_map: OnMap | None = None  # in place of writing each map to the slide's folder
    on_draft: OnDraft = ignore_draft
    map_growth: float = MAP_GROWTH

    @property
    def reading_settings(self) -> Settings:
        """The built-in model reads everything: nothing else is quick enough."""
        other = self.settings.engine not in ("auto", builtin.SPEC.name)
        update = {"engine": builtin.SPEC.name, **({"calibration": "auto"} if other else {})}
        return self.settings.model_copy(update=update)

    @cached_property
    def screener(self) -> Screener:
        if self.served is not None:
            return self.served
        choice = EngineChoice(builtin.SPEC.name, "it reads whole slides")
        return open_screener(choice, self.reading_settings)

    @cached_property
    def second(self) -> Screener | None:
        """None where nothing but the built-in model is there to be asked."""
        if self.served_second is not None:
            return self.served_second
        choice = choose_engine(self.settings)
        if not self.second_engine or choice.engine == builtin.SPEC.name:
            return None
        return open_screener(choice, self.settings)

    @property
    def identity(self) -> str:
        """Which models and calibrations answer."""
        file, tiles = self.calibration, self.screener.calibration
        parts = {
            **Binding.of(self.screener.info).model_dump(),
            "calibration": tiles.id if tiles else "none",
            "option calibration": read_slide_calibration(file).id if file else "none",
            **self._second_binding(),
        }
        return json.dumps(parts, sort_keys=True, default=str)

    def prepare(self) -> None:
        """Before any slide, what is missing is one refusal and not that of each slide. Raises
        `healer.errors.base.HealerError`."""
        if self.calibration is not None:
            read_slide_calibration(self.calibration)
        _ = self.screener, self.second
        if self.options.draft_patches:
            draft_engine(self.second or self.screener)
        try:
            self.out.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.out):
                pass
        except OSError as error:
            raise OutputNotWritable(str(self.out), error.strerror or type(error).__name__) from None

    def close(self) -> None:
        for screener in (vars(self).get("screener"), vars(self).get("second")):
            if screener is not None and screener not in (self.served, self.served_second):
                screener.engine.close()

    def answer(self, slide: ListedSlide, on_progress: OnProgress = lambda _: None) -> Json:
        """What `slide.json` says. Raises `healer.errors.base.HealerError`."""
        mpp, source = (slide.mpp, "list") if slide.mpp is not None else (self.mpp, self.mpp_source)
        file = SlideSource(slide.path, mpp, source, self.colour)
        scorer = self.workers.scorer(file) if self.workers else self.scorer
        if self.opener:
            given = None if mpp is None else Resolution(mpp, mpp, source)
            opened = self.opener(slide, given)
        else:
            opened = file.open(OWN_READERS if self.workers else None)
        with closing(opened) as reader:
            document = self._answer(slide, reader, scorer, on_progress)
        self.on_answered(slide, self.out / slide.name)
        return document

    def _answer(
        self,
        slide: ListedSlide,
        reader: SlideReader,
        scorer: TileScorerFactory,
        on_progress: OnProgress,
    ) -> Json:
        folder = SlideFolder(self.out / slide.name)
        tiles = binding_of(
            reader.info, self.screener, plan_for(self.screener, self.options.overlap)
        )
        file = self.calibration
        calibration = None if file is None else load_slide_calibration(file, tiles)
        binding = {
            **tiles,
            **self.options.as_binding(),
            **self._second_binding(),
            **({"option calibration": calibration.id} if calibration else {}),
        }
        with folder.parts() as parts:
            if self.fresh:
                parts.discard()
                folder.discard_answer()
            elif document := folder.finished(binding):
                return document
            run = SlideRun(
                name=printable(slide.name),
                binding=binding,
                reader=reader,
                screener=self.screener,
                parts=parts,
                options=self.options,
                known=folder.known_results(tiles),
                calibration=calibration,
                second=self.second,
                ask=self.ask,
                scorer=scorer,
                on_progress=on_progress,
                on_map=self.on_map
                or (lambda _, mask, results: folder.write_map(reader, mask.tissue, results)),
                on_draft=self.on_draft,
                map_growth=self.map_growth,
            )
            document = folder.write(run.answer(), reader)
            parts.discard()
        return document

    def _second_binding(self) -> dict[str, str]:
        """The second model is part of the answer; opening it here saves opening it later."""
        return second_binding_of(self.second) if self.second else {}
