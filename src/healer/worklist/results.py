"""What was read of each slide: its answer, its tiles, and its map at any scale."""

from __future__ import annotations

import json
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from pathlib import Path
from typing import Generic, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from healer.errors.worklist import NoTileHere, SlideNotRead
from healer.slides.answer import ANSWER
from healer.slides.heatmap import NOT_READ, Raster, coloured, probability_map
from healer.slides.reader import Area
from healer.slides.scoring import TileResult
from healer.slides.slide_screener import TILES, TISSUE
from healer.slides.tiles import FOLDER as PARTS
from healer.slides.tiles import read_tiles
from healer.worklist.records import Json, without_tissue

MOST_SLIDES = 4  # whose tiles are held
Value = TypeVar("Value")


class Recent(Generic[Value]):
    """The values that were used last, as many as `most`. For several threads."""

    def __init__(self, most: int, size: Callable[[Value], int] = lambda _: 1) -> None:
        self._most, self._size = most, size
        self._held = 0
        self._values: OrderedDict[object, Value] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: object, make: Callable[[], Value]) -> Value:
        with self._lock:
            if key in self._values:
                self._values.move_to_end(key)
                return self._values[key]
        value = make()
        with self._lock:
            if key not in self._values:
                self._values[key] = value
                self._held += self._size(value)
            while self._held > self._most and len(self._values) > 1:
                self._held -= self._size(self._values.popitem(last=False)[1])
        return value


@dataclass(frozen=True, slots=True)
class Tissue:
    """Where there is any, on a slide of `size`."""

    mask: Image.Image
    size: tuple[int, int]

    def within(self, area: Area, size: tuple[int, int]) -> NDArray[np.bool_]:
        """Of an area, which may end beyond the slide, as a picture of another size."""
        across, down = self.mask.width / self.size[0], self.mask.height / self.size[1]
        right, bottom = min(area.right, self.size[0]), min(area.bottom, self.size[1])
        box = (area.x * across, area.y * down, right * across, bottom * down)
        return np.asarray(self.mask.resize(size, Image.Resampling.NEAREST, box=box)) > 0


@dataclass(frozen=True, slots=True)
class TileMap:
    """Tiles of one slide, found by their place. `version` grows with them; `tissue` is known once
    the slide is read."""

    results: Sequence[TileResult]
    boxes: NDArray[np.int64]  # left, top, right, bottom
    tissue: Tissue | None = None

    @classmethod
    def of(cls, results: Sequence[TileResult], tissue: Tissue | None = None) -> TileMap:
        areas = [each.area for each in results]
        boxes = [(area.x, area.y, area.right, area.bottom) for area in areas]
        return cls(results, np.array(boxes, np.int64).reshape(-1, 4), tissue)

    @property
    def version(self) -> int:
        return len(self.results)

    def at(self, x: int, y: int) -> TileResult:
        """The most suspicious of those that hold the pixel. Raises NoTileHere."""
        left, top, right, bottom = self.boxes.T
        inside = np.flatnonzero((left <= x) & (x < right) & (top <= y) & (y < bottom))
        if not len(inside):
            raise NoTileHere
        return max(
            (self.results[at] for at in inside.tolist()), key=lambda each: each.probability or -1.0
        )

    def picture(self, area: Area, size: tuple[int, int]) -> bytes:
        """The map of an area as a PNG, clear where nothing was read; tissue that was not scored
        is grey once the whole slide is read."""
        left, top, right, bottom = self.boxes.T
        inside = (left < area.right) & (right > area.x) & (top < area.bottom) & (bottom > area.y)
        shifted = [_shifted(self.results[at], area) for at in np.flatnonzero(inside).tolist()]
        raster = Raster(*size, (area.width, area.height))
        stream = BytesIO()
        probabilities = probability_map(shifted, raster)
        layer = coloured(probabilities)
        if self.tissue is not None:
            layer[self.tissue.within(area, size) & np.isnan(probabilities)] = NOT_READ
        Image.fromarray(layer).save(stream, "PNG", compress_level=1)
        return stream.getvalue()


def _shifted(result: TileResult, area: Area) -> TileResult:
    """As if the slide began at the area's corner."""
    moved = Area(
        result.area.x - area.x, result.area.y - area.y, result.area.width, result.area.height
    )
    return TileResult(
        moved,
        result.um_per_px,
        result.probability,
        result.verdict,
        None,
        (),
        (),
        None,
        result.tissue_mm2,
    )


def tile_json(result: TileResult) -> Json:
    return {
        "area": asdict(result.area),
        "probability": result.probability,
        "verdict": result.verdict and str(result.verdict),
        "second": result.second and str(result.second.verdict),
        "findings": [asdict(finding) for finding in result.findings],
        "reasons": list(result.reasons),
        "problem": result.problem,
        "warnings": list(result.warnings),
        "tissue_mm2": result.tissue_mm2,
    }


def numbered(regions: Iterable[Json]) -> list[Json]:
    """Each with its place in the list as its id: ranks begin again with the precursors."""
    return [{"id": at, **region} for at, region in enumerate(regions, start=1)]


class ResultsFolder:
    """A folder for each slide, called by its id."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "slides"
        self._maps: Recent[TileMap] = Recent(MOST_SLIDES)

    def of(self, slide_id: str) -> Path:
        return self.folder / slide_id

    def document(self, slide_id: str) -> Json | None:
        """What `slide.json` says; None where the slide was not read to its end."""
        try:
            text = (self.of(slide_id) / ANSWER).read_text("utf-8")
        except OSError:
            return None
        document: Json = json.loads(text)
        document |= without_tissue(document, document["coverage"]["tissue_mm2"])
        document["regions"] = numbered(document["regions"])
        document.pop("slide", None)
        return document

    def file(self, slide_id: str, name: str) -> Path:
        """A file of a finished reading. Raises SlideNotRead."""
        place = self.of(slide_id) / name
        if not (self.of(slide_id) / ANSWER).is_file() or not place.is_file():
            raise SlideNotRead
        return place

    def tiles(self, slide_id: str) -> TileMap:
        """Of a finished reading, or of one that broke off. Raises SlideNotRead."""
        whole = self.of(slide_id) / TILES
        finished = (self.of(slide_id) / ANSWER).is_file() and whole.is_file()
        files = [whole] if finished else sorted((self.of(slide_id) / PARTS).glob("*.parquet"))
        if not files:
            raise SlideNotRead
        stamp = tuple((file.name, file.stat().st_mtime_ns) for file in files)

        def made() -> TileMap:
            return TileMap.of(list(_read(files)), self._tissue(slide_id) if finished else None)

        return self._maps.get((slide_id, stamp), made)

    def _tissue(self, slide_id: str) -> Tissue | None:
        document = self.document(slide_id)
        try:
            with Image.open(self.of(slide_id) / TISSUE) as mask:
                return Tissue(mask.convert("L"), tuple(document["size"])) if document else None
        except OSError:  # of an earlier version
            return None


def _read(files: Iterable[Path]) -> Iterable[TileResult]:
    for file in files:
        try:
            yield from read_tiles(file)
        except (OSError, pa.ArrowException):
            continue
