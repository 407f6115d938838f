"""The folder of one slide: everything that is written of it.

`slide.json` is written last, so that where it is, all the rest is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from healer.errors.slides import SlideAnswersNotWritable, SlideRunMismatch
from healer.slides.answer import SlideAnswer
from healer.slides.export import region_features, tile_features, write_geojson, write_json
from healer.slides.heatmap import (
    Raster,
    over,
    overlay,
    thumbnail_scale,
    write_picture,
    write_pyramid,
)
from healer.slides.reader import SlideReader
from healer.slides.report import region_views, write_report
from healer.slides.report_pdf import write_pdf
from healer.slides.result import TileResult
from healer.slides.scoring import on_white
from healer.slides.tiles import TileParts, read_tiles, write_tiles

ANSWER, TILES = "slide.json", "tiles.parquet"


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
        earlier = document["run"]
        if other := [name for name, value in binding.items() if earlier.get(name) != value]:
            raise SlideRunMismatch(self.folder.name, " and ".join(sorted(other)))
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

    def write_early_map(
        self, reader: SlideReader, tissue: NDArray[np.bool_], results: Sequence[TileResult]
    ) -> None:
        """What is known while the slide is being read."""
        self.write_map(reader, tissue, results)

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
        views = region_views(answer, reader)
        document = answer.as_json()
        with self._write_errors():
            write_tiles(self.folder / TILES, answer.results, {"slide": answer.name})
            bounds = answer.info.bounds
            write_geojson(self.folder / "tiles.geojson", tile_features(answer), bounds)
            write_geojson(self.folder / "regions.geojson", region_features(answer), bounds)
            write_pyramid(self.folder / "heatmap.ome.tif", answer.results, answer.info)
            report = self.folder / "report.html"
            write_report(report, answer, self._picture(reader), layer, views)
            overview = over(self._picture(reader), layer)
            write_pdf(self.folder / "report.pdf", answer, overview, views)
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
