"""Pictures of a slide as Deep Zoom has them: levels that halve, squares that overlap by a pixel."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from math import ceil, log2
from pathlib import Path

import numpy as np
from PIL import Image

from healer.errors.slides import AreaUnreadable, NoResolution, ResolutionContradictory
from healer.errors.worklist import NoPictureHere
from healer.files.disk import atomic_write
from healer.slides.heatmap import thumbnail_scale
from healer.slides.opening import open_slide
from healer.slides.reader import Area, SlideInfo, SlideReader
from healer.slides.scoring import on_white
from healer.worklist.catalogue import SlideEntry
from healer.worklist.results import Recent

SIDE, OVERLAP = 254, 1
MOST_OPEN = 2  # slides, each read by one process
IDLE_SECONDS = 120.0
CACHE_BYTES = 64 * 1024 * 1024
QUALITY = 80
THUMBNAIL = 320  # pixels along the longer side
UNKNOWN_UM_PER_PX = 0.25  # of a slide that states none: for showing it, never for reading it
UNREADABLE_GREY = (150, 150, 150)


@dataclass(frozen=True, slots=True)
class DeepZoom:
    """`size` is that of level 0 of the slide, which is the last level here."""

    size: tuple[int, int]

    @property
    def last(self) -> int:
        return ceil(log2(max(self.size)))

    def field(self, level: int, column: int, row: int) -> tuple[Area, tuple[int, int]]:
        """What a picture shows, in level-0 pixels, and its size. Raises NoPictureHere."""
        if not 0 <= level <= self.last or column < 0 or row < 0:
            raise NoPictureHere
        scale = 2 ** (self.last - level)
        width, height = (ceil(side / scale) for side in self.size)
        left, right = _edges(column, width)
        top, bottom = _edges(row, height)
        area = Area(left * scale, top * scale, (right - left) * scale, (bottom - top) * scale)
        return area, (right - left, bottom - top)

    def as_xml(self, form: str) -> str:
        width, height = self.size
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            '<Image xmlns="http://schemas.microsoft.com/deepzoom/2008" '
            f'Format="{form}" Overlap="{OVERLAP}" TileSize="{SIDE}">'
            f'<Size Height="{height}" Width="{width}"/></Image>\n'
        )


def _edges(at: int, length: int) -> tuple[int, int]:
    if at * SIDE >= length:
        raise NoPictureHere
    return max(0, at * SIDE - OVERLAP), min(length, (at + 1) * SIDE + OVERLAP)


class OpenSlide:
    """Opened when it is first used; call methods other than `close` while holding `lock`."""

    def __init__(self, entry: SlideEntry, mpp: float | None) -> None:
        self.lock = threading.Lock()
        self.used_at = time.monotonic()
        self.closed = False
        self.stated = True  # whether its scale is known, rather than assumed to show it
        self._entry, self._mpp = entry, mpp
        self._reader: SlideReader | None = None
        self._overview: Image.Image | None = None

    @property
    def reader(self) -> SlideReader:
        """Raises SlideError."""
        if self._reader is None:
            path = self._entry.path
            try:
                self._reader = open_slide(path, mpp=self._mpp, mpp_source="reader", readers=1)
            except (NoResolution, ResolutionContradictory):
                self._reader = open_slide(path, mpp=UNKNOWN_UM_PER_PX, readers=1)
                self.stated = False
        return self._reader

    def overview(self) -> Image.Image:
        if self._overview is None:
            pixels = self.reader.thumbnail(thumbnail_scale(self.reader.info))
            self._overview = Image.fromarray(on_white(pixels))
        return self._overview

    def picture(self, area: Area, size: tuple[int, int]) -> Image.Image:
        """Coarse levels are cut from the overview: not every slide's file has them."""
        info = self.reader.info
        if area.width / size[0] < thumbnail_scale(info) / info.resolution.mean:
            return _laid_on_white(self.reader, area, size)
        small = self.overview()
        across, down = small.width / info.size[0], small.height / info.size[1]
        right, bottom = min(area.right, info.size[0]), min(area.bottom, info.size[1])
        box = (area.x * across, area.y * down, right * across, bottom * down)
        return small.resize(size, Image.Resampling.BILINEAR, box=box, reducing_gap=3.0)

    def close(self) -> None:
        with self.lock:
            self.closed = True
            if self._reader is not None:
                self._reader.close()


def _laid_on_white(reader: SlideReader, area: Area, size: tuple[int, int]) -> Image.Image:
    try:
        return Image.fromarray(on_white(reader.read(area, size)))
    except AreaUnreadable:
        return Image.new("RGB", size, UNREADABLE_GREY)


class SlidePictures:
    """Keeps few slides open, and few pictures. For several threads."""

    def __init__(self) -> None:
        self._open: OrderedDict[str, OpenSlide] = OrderedDict()
        self._lock = threading.Lock()
        self._pictures: Recent[bytes] = Recent(CACHE_BYTES, len)

    def info(self, entry: SlideEntry, mpp: float | None) -> tuple[SlideInfo, bool]:
        """What the slide says of itself, and whether its scale is known. Raises SlideError."""
        with self._opened(entry, mpp) as slide:
            return slide.reader.info, slide.stated

    def picture(
        self, entry: SlideEntry, mpp: float | None, level: int, column: int, row: int
    ) -> bytes:
        """A JPEG; grey where the file is damaged. Raises NoPictureHere and SlideError."""
        key = (_key(entry), level, column, row)
        return self._pictures.get(key, lambda: self._drawn(entry, mpp, level, column, row))

    def _drawn(
        self, entry: SlideEntry, mpp: float | None, level: int, column: int, row: int
    ) -> bytes:
        with self._opened(entry, mpp) as slide:
            area, size = DeepZoom(slide.reader.info.size).field(level, column, row)
            return jpeg(slide.picture(area, size))

    def thumbnail(self, entry: SlideEntry, mpp: float | None, folder: Path) -> bytes:
        """Kept in the folder until the slide changes. Raises SlideError."""
        place = folder / f"thumbnail-{entry.stamp_now()}.jpeg"
        if place.is_file():
            return place.read_bytes()
        with self._opened(entry, mpp) as slide:
            picture = slide.overview().copy()
        picture.thumbnail((THUMBNAIL, THUMBNAIL), reducing_gap=3.0)
        data = jpeg(picture)
        folder.mkdir(parents=True, exist_ok=True)
        for old in folder.glob("thumbnail-*.jpeg"):
            old.unlink(missing_ok=True)
        with atomic_write(place) as stream:
            stream.write(data)
        return data

    def close_idle(self, seconds: float = IDLE_SECONDS) -> None:
        """Those that nobody asked for in as many seconds."""
        limit = time.monotonic() - seconds
        with self._lock:
            idle = [key for key, slide in self._open.items() if slide.used_at < limit]
            closing = [self._open.pop(key) for key in idle]
        for slide in closing:
            slide.close()

    @contextmanager
    def _opened(self, entry: SlideEntry, mpp: float | None) -> Iterator[OpenSlide]:
        key = f"{_key(entry)} {mpp}"
        while True:
            slide = self._take(key, entry, mpp)
            with slide.lock:
                if slide.closed:  # by another thread, between the two lines above
                    continue
                try:
                    yield slide
                finally:
                    slide.used_at = time.monotonic()
                return

    def _take(self, key: str, entry: SlideEntry, mpp: float | None) -> OpenSlide:
        with self._lock:
            if key not in self._open:
                self._open[key] = OpenSlide(entry, mpp)
            slide = self._open[key]
            slide.used_at = time.monotonic()
            self._open.move_to_end(key)
            surplus = max(0, len(self._open) - MOST_OPEN)
            closing = [self._open.popitem(last=False)[1] for _ in range(surplus)]
        for old in closing:
            old.close()
        return slide


def _key(entry: SlideEntry) -> str:
    return f"{entry.id} {entry.stamp_now()}"


def jpeg(picture: Image.Image) -> bytes:
    stream = BytesIO()
    Image.fromarray(np.asarray(picture)).save(stream, "JPEG", quality=QUALITY)
    return stream.getvalue()
