"""A slide in a DICOM archive: frames on demand through a bounded cache, none of it on disk."""

from __future__ import annotations

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from queue import LifoQueue
from typing import TypeVar

import dicomweb_client
import numpy as np
from numpy.typing import NDArray

from healer.errors.hospital import ArchiveRefused
from healer.errors.request import ImageTooCostly
from healer.errors.slides import AreaUnreadable, SlideDamaged, SlideTooCostly
from healer.hospital.archive import NOT_ALLOWED, Archive, FoundSeries
from healer.hospital.frame_index import FramePlace, LevelFrames, index_levels
from healer.hospital.frames import FrameProcess
from healer.hospital.series import SourceSeries, series_from
from healer.images.tile import Tile
from healer.quality.gate import GATE, LoadedTile
from healer.settings.model import GateMode
from healer.slides.decimation import decimated_levels, marked
from healer.slides.members import log_key
from healer.slides.opening import MOST_LOST, check_extent, computed_ahead, default_readers
from healer.slides.overview import Canvas, read_block
from healer.slides.reader import Area, Level, Overview, Resolution, Rgba, SlideInfo, TileRead
from healer.slides.scoring import on_white
from healer.slides.slide_file import (
    StatedResolution,
    check_size,
    honest_levels,
    read_area,
    reconcile,
    stated,
)

CACHE_BYTES = 128 * 1024 * 1024  # of decoded frames
FETCHERS = 8  # requests under way at once
READ_AHEAD = 4  # areas for each of them
Pixels = NDArray[np.uint8]
Item = TypeVar("Item")
Result = TypeVar("Result")


class FrameCache:
    """Decoded frames, those used last; two who want the same wait for one request."""

    def __init__(self, most_bytes: int = CACHE_BYTES) -> None:
        self._most, self._bytes = most_bytes, 0
        self._frames: OrderedDict[FramePlace, Future[Pixels]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, place: FramePlace, load: Callable[[], Pixels]) -> Pixels:
        with self._lock:
            known = self._frames.get(place)
            if known is None:
                mine: Future[Pixels] = Future()
                self._frames[place] = mine
            else:
                self._frames.move_to_end(place)
        if known is not None:
            return known.result()
        try:
            mine.set_result(load())
        except BaseException as error:
            mine.set_exception(error)
            with self._lock:
                self._frames.pop(place, None)
        else:
            self._make_room(mine.result().nbytes)
        return mine.result()

    def _make_room(self, added: int) -> None:
        with self._lock:
            self._bytes += added
            for place, future in list(self._frames.items()):
                if self._bytes <= self._most:
                    return
                if future.done() and future.exception() is None:
                    del self._frames[place]
                    self._bytes -= future.result().nbytes


class WebSlide:
    """A SlideReader. Frames are decoded in processes of their own; one that fails is replaced.

    Raises ArchiveUnreachable where the archive goes away: what was read is kept by who reads.
    """

    def __init__(
        self, archive: Archive, found: FoundSeries, given: Resolution | None = None
    ) -> None:
        self._archive, self._found = archive, found
        headers = archive.headers(found)
        frames = index_levels(headers)
        self.series: SourceSeries = series_from(headers)
        sizes = honest_levels([(each.width, each.height) for each in frames])
        self._frames = [frames[place] for place in sizes]
        self.levels = tuple(sizes.values())
        check_size(self.levels[0].width, self.levels[0].height)
        self._info = _info(self.levels, self.series, given)
        self._cache, self._lost = FrameCache(), 0
        self._decoders: LifoQueue[FrameProcess | None] = LifoQueue()
        for _ in range(default_readers()):
            self._decoders.put(None)
        self._threads = ThreadPoolExecutor(FETCHERS, "dicomweb")
        self._levels_are_marked = False

    @property
    def info(self) -> SlideInfo:
        return self._info

    def read(self, area: Area, size: tuple[int, int]) -> Rgba:
        try:
            return read_area(self, area, size)
        except SlideDamaged as error:
            raise AreaUnreadable(area.x, area.y, area.width, area.height, error.reason) from None

    def read_level(self, level: int, x: int, y: int, width: int, height: int) -> Rgba:
        """Of the LevelSource."""
        frames, wanted = self._frames[level], Area(x, y, width, height)
        picture = np.zeros((height, width, 4), np.uint8)
        whole = Area(0, 0, frames.width, frames.height)
        inside = wanted.intersection(whole)
        for tile, place in _tiles(frames, inside) if inside else ():
            shown = tile.intersection(wanted)
            shown = shown and shown.intersection(whole)
            if shown is None:
                continue
            pixels = self._cache.get(place, lambda place=place: self._load(place))  # type: ignore[misc]
            picture[_within(shown, wanted)] = np.dstack(
                [
                    pixels[_within(shown, tile)],
                    np.full((shown.height, shown.width), 255, np.uint8),
                ]
            )
        return picture

    def overview(self, um_per_px: float) -> Overview:
        canvas = Canvas.of(self._info, um_per_px)
        reads = self._ahead(lambda block: read_block(self.read, block), canvas.blocks())
        return canvas.filled(reads)

    def thumbnail(self, um_per_px: float) -> Rgba:
        return self.overview(um_per_px).pixels

    def tiles(
        self, areas: Iterable[Area], size: tuple[int, int], gate: GateMode = "warn"
    ) -> Iterator[TileRead]:
        self._mark_levels()
        return self._ahead(lambda area: self._tile(area, size, gate), areas)

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)
        while not self._decoders.empty():
            decoder = self._decoders.get()
            if decoder is not None:
                decoder.close()

    def _mark_levels(self) -> None:
        """Once, and not before tiles are wanted: it fetches frames."""
        if not self._levels_are_marked:
            self.levels = marked(self.levels, decimated_levels(self.levels, self.read_level))
            self._info = replace(self._info, levels=self.levels)
            self._levels_are_marked = True

    def _tile(self, area: Area, size: tuple[int, int], gate: GateMode) -> TileRead:
        try:
            pixels = self.read(area, size)
        except AreaUnreadable as error:
            return TileRead(area, error, 0.0)
        tile = Tile(on_white(pixels), area.width * self._info.resolution.x / size[0])
        report = None if gate == "off" else GATE.assess(tile)
        scanned = float((pixels[..., 3] > 0).mean())
        return TileRead(area, LoadedTile(tile, report, {}), scanned)

    def _load(self, place: FramePlace) -> Pixels:
        try:
            frames = self._archive.frames(self._found, place.instance, [place.number])
        except ArchiveRefused as error:
            if error.answered in NOT_ALLOWED:
                raise
            raise SlideDamaged(f"status {error.answered}") from None
        if not frames:
            raise SlideDamaged("the archive gave no frame")
        with self._decoder() as decoder:
            return decoder.decode(frames[0], place.form)

    @contextmanager
    def _decoder(self) -> Iterator[FrameProcess]:
        """Raises SlideDamaged for a frame that ended it, and SlideTooCostly at the ninth."""
        decoder = self._decoders.get() or FrameProcess()
        try:
            yield decoder
        except ImageTooCostly as error:
            self._lost += 1
            if self._lost > MOST_LOST:
                raise SlideTooCostly(f"{error.reason}, {self._lost} times") from None
            raise SlideDamaged(error.reason) from None
        finally:
            if decoder.alive:
                self._decoders.put(decoder)
            else:
                decoder.close()
                self._decoders.put(None)

    def _ahead(self, step: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        return computed_ahead(self._threads, READ_AHEAD * FETCHERS, step, items)


def _tiles(frames: LevelFrames, inside: Area) -> Iterator[tuple[Area, FramePlace]]:
    """Those that `inside` touches and that were scanned."""
    width, height = frames.tile_width, frames.tile_height
    for row in range(inside.y // height, (inside.bottom - 1) // height + 1):
        for column in range(inside.x // width, (inside.right - 1) // width + 1):
            if (place := frames.places.get((row, column))) is not None:
                yield Area(column * width, row * height, width, height), place


def _within(part: Area, whole: Area) -> tuple[slice, slice]:
    top, left = part.y - whole.y, part.x - whole.x
    return slice(top, top + part.height), slice(left, left + part.width)


def _info(
    levels: tuple[Level, ...],
    series: SourceSeries,
    given: Resolution | None,
) -> SlideInfo:
    resolution = given or reconcile(_statements(series))
    check_extent(levels[0], resolution)
    content_hash = hashlib.sha256("\n".join(series.instances).encode()).hexdigest()
    return SlideInfo(
        size=(levels[0].width, levels[0].height),
        resolution=resolution,
        levels=levels,
        bounds=Area(0, 0, levels[0].width, levels[0].height),
        properties={},
        reader=f"dicomweb-client {dicomweb_client.__version__} (dicomweb)",
        colour="raw",
        content_hash=content_hash,
        log_key=log_key(content_hash),
    )


def _statements(series: SourceSeries) -> list[StatedResolution]:
    measures = series.base.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    down, across = (float(value) * 1000 for value in measures.PixelSpacing)
    return [stated("DICOM pixel spacing", across, down)]
