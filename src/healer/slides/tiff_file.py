"""What OpenSlide refuses or reads only in part: OME-TIFF, QPTIFF, TIFF in strips or one level."""

from __future__ import annotations

import logging
import re
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from itertools import product
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import tifffile
from numpy.typing import NDArray
from tifffile import TiffFile, TiffPage

from healer.errors.request import TruncatedImage
from healer.errors.slides import NotBrightfield, SlideDamaged, SlideUnsupported
from healer.images.tiff_coding import COLOURS, PALETTE, alpha_sample, check_coding, rgb_of
from healer.images.tiff_segments import (
    Page,
    Segment,
    converter_to_bytes,
    decoded_segment,
    segment_area,
)
from healer.slides.reader import Area, ColourChoice, Level, Rgba
from healer.slides.slide_file import (
    UM_PER_UNIT,
    SlideDescription,
    StatedResolution,
    ToSrgb,
    allowed,
    check_size,
    honest_levels,
    positive,
    stated,
)

X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 282, 283, 296
UM_PER_TAG_UNIT = {2: 25_400.0, 3: 10_000.0}  # inch, centimetre
LONGEST_TEXT = 4 * 1024 * 1024
APERIO_MPP = re.compile(r"\bMPP ?= ?([0-9.]+)")
CACHE_BYTES = 48 * 1024 * 1024
MOST_SEGMENT_PIXELS = 16 * 1024 * 1024  # a strip or a tile is decoded whole
MOST_SEGMENT_BYTES = 64 * 1024 * 1024
MOST_DIRECTORIES = 1000
ICC_PROFILE = 34675
TILE_WIDTH = 322
SEPARATE_PLANES = 2

logging.getLogger("tifffile").disabled = True  # it quotes text of the file


def statements_of(file: TiffFile, page: TiffPage) -> tuple[StatedResolution, ...]:
    """The writer's own text first."""
    statements = []
    if file.is_ome:
        statements.append(_of_ome(file))
    if file.is_svs and (found := APERIO_MPP.search(page.description[:LONGEST_TEXT])):
        statements.append(stated("aperio metadata", found[1], found[1]))
    statements.append(_of_tags(page))
    return tuple(statements)


def magnification_of(file: TiffFile) -> float | None:
    if not file.is_ome:
        return None
    root = _ome_root(file)
    objective = None if root is None else root.find(".//{*}Objective")
    return None if objective is None else positive(objective.get("NominalMagnification"))


def tag_properties(page: TiffPage) -> dict[str, str]:
    values = (_per_unit(page, tag) for tag in (X_RESOLUTION, Y_RESOLUTION))
    names = ("tiff.XResolution", "tiff.YResolution")
    return allowed({name: str(value) for name, value in zip(names, values, strict=True)})


def _of_tags(page: TiffPage) -> StatedResolution:
    unit = UM_PER_TAG_UNIT.get(int(page.tags.valueof(RESOLUTION_UNIT, 2) or 0))
    across, down = (_per_unit(page, tag) for tag in (X_RESOLUTION, Y_RESOLUTION))
    if unit is None or across is None or down is None:
        return StatedResolution("TIFF tags", None, None)
    return stated("TIFF tags", unit / across, unit / down)


def _per_unit(page: TiffPage, tag: int) -> float | None:
    match page.tags.valueof(tag):
        case (int(top), int(bottom)) if bottom:
            return positive(top / bottom)
    return None


def _of_ome(file: TiffFile) -> StatedResolution:
    root = _ome_root(file)
    pixels = None if root is None else root.find("./{*}Image/{*}Pixels")
    if pixels is None:
        return StatedResolution("OME-XML", None, None)
    values = []
    for axis in "XY":
        size = positive(pixels.get(f"PhysicalSize{axis}"))
        unit = UM_PER_UNIT.get(pixels.get(f"PhysicalSize{axis}Unit", "µm"))
        values.append(size * unit if size and unit else None)
    return stated("OME-XML", *values)


def _ome_root(file: TiffFile) -> ElementTree.Element | None:
    text = file.ome_metadata or ""
    # Entities could grow without bound; OME-XML has none.
    if len(text) > LONGEST_TEXT or "<!DOCTYPE" in text or "<!ENTITY" in text:
        return None
    try:
        return ElementTree.fromstring(text)  # noqa: S314
    except ElementTree.ParseError:
        return None


class TiffSlideFile:
    def __init__(self, path: str, colour: ColourChoice) -> None:
        """Raises SlideError, ImageError, and what tifffile does on what is no TIFF."""
        with ExitStack() as undo:
            stream = undo.enter_context(Path(path).open("rb"))
            self._file = undo.enter_context(TiffFile(stream))
            self._describe(colour)
            self._open = undo.pop_all()

    def _describe(self, colour: ColourChoice) -> None:
        if self._file.is_ndpi:  # its tiles are of a kind of their own; OpenSlide refused it
            raise SlideDamaged("an NDPI of which parts are missing")
        pages = level_pages(self._file)
        for page in pages:
            check_colour(page)
        sizes = [(page.imagewidth, page.imagelength) for page in pages]
        check_size(*sizes[0])
        levels = honest_levels(sizes)
        self._pages = [Page.of(pages[place]) for place in levels]
        self._segments: OrderedDict[tuple[int, int], Rgba] = OrderedDict()
        self._cached_bytes = 0
        profile = pages[0].tags.valueof(ICC_PROFILE) if colour == "srgb" else None
        self._to_srgb = ToSrgb(bytes(profile)) if profile else None
        self.description = SlideDescription(
            reader=f"tifffile {tifffile.__version__} ({format_of(self._file)})",
            levels=tuple(levels.values()),
            bounds=Area(0, 0, *sizes[0]),
            statements=statements_of(self._file, pages[0]),
            magnification=magnification_of(self._file),
            properties=tag_properties(pages[0]),
            colour="raw" if self._to_srgb is None else "srgb",
        )

    @property
    def levels(self) -> Sequence[Level]:
        return self.description.levels

    def close(self) -> None:
        self._open.close()

    def read_level(self, level: int, x: int, y: int, width: int, height: int) -> Rgba:
        """Raises ImageError where a segment cannot be decoded."""
        pixels = np.zeros((height, width, 4), np.uint8)
        wanted = Area(x, y, width, height)
        for index, place in segments_over(self._pages[level].tags, wanted):
            shared = place.intersection(wanted)
            segment = self._segment(level, index, place)
            if shared is None or segment is None:
                continue
            down, across = shared.y - y, shared.x - x
            top, left = shared.y - place.y, shared.x - place.x
            pixels[down : down + shared.height, across : across + shared.width] = segment[
                top : top + shared.height, left : left + shared.width
            ]
        return pixels if self._to_srgb is None else self._to_srgb.apply(pixels)

    def _segment(self, level: int, index: int, place: Area) -> Rgba | None:
        key = (level, index)
        if key in self._segments:
            self._segments.move_to_end(key)
            return self._segments[key]
        segment = segment_pixels(self._file, self._pages[level], index, place)
        if segment is not None:
            self._segments[key] = segment
            self._cached_bytes += segment.nbytes
            while self._cached_bytes > CACHE_BYTES and len(self._segments) > 1:
                self._cached_bytes -= self._segments.popitem(last=False)[1].nbytes
        return segment


def format_of(file: TiffFile) -> str:
    kinds = {"OME-TIFF": file.is_ome, "QPTIFF": file.is_qpi, "SVS": file.is_svs}
    return next((name for name, is_it in kinds.items() if is_it), "TIFF")


def level_pages(file: TiffFile) -> list[TiffPage]:
    """Level 0 first. Raises SlideError."""
    if file.is_ome or file.is_qpi:
        series = file.series[0]
        if not series.axes.endswith("YXS") or len(series.shape) != 3:
            raise NotBrightfield(
                f"its axes are {series.axes} with {series.shape} values, where a colour scan has "
                "one picture of red, green and blue"
            )
        pages = [level.keyframe for level in series.levels]
    else:
        pages = [page for page in first_pages(file) if isinstance(page, TiffPage)]
        pages = [pages[0], *(page for page in pages[1:] if _is_level(page, pages[0]))]
    if len(pages) > MOST_DIRECTORIES:
        raise SlideUnsupported(f"a pyramid of {len(pages):,} levels")
    return pages


def first_pages(file: TiffFile) -> list[TiffPage]:
    """Raises SlideDamaged where there are more than any slide has: most likely they loop."""
    pages: list[TiffPage] = []
    for index in range(MOST_DIRECTORIES + 1):
        try:
            page = file.pages[index]
        except IndexError:
            return pages
        if isinstance(page, TiffPage):
            pages.append(page)
    raise SlideDamaged(f"it lists more than {MOST_DIRECTORIES:,} pictures")


def _is_level(page: TiffPage, full: TiffPage) -> bool:
    """Labels and macros have other proportions, or are not tiled as the levels are."""
    smaller = page.imagewidth < full.imagewidth and page.imagelength < full.imagelength
    return smaller and page.is_tiled == full.is_tiled and page.is_reduced


def check_colour(page: TiffPage) -> None:
    """Raises ImageError for a coding that is not read, and SlideUnsupported for grey."""
    check_coding(page)
    if TILE_WIDTH in page.tags and not page.is_tiled:
        raise SlideDamaged("tiles of no size")
    if COLOURS[int(page.photometric)] == 1 and int(page.photometric) != PALETTE:
        raise SlideUnsupported("a scan in grey", "Scan the H&E-stained section in colour.")
    tall, wide = segment_area(page)
    if tall * wide > MOST_SEGMENT_PIXELS:
        raise SlideUnsupported(
            f"a TIFF in segments of {wide:,} × {tall:,} pixels, which cannot be read in parts"
        )


def segments_over(page: TiffPage, wanted: Area) -> Iterator[tuple[int, Area]]:
    """The number and place of each tile or strip that shares pixels with `wanted`."""
    tall, wide = segment_area(page)
    whole = Area(0, 0, page.imagewidth, page.imagelength)
    shared = wanted.intersection(whole)
    if shared is None:
        return
    columns = -(-page.imagewidth // wide)
    rows = range(shared.y // tall, (shared.bottom - 1) // tall + 1)
    across = range(shared.x // wide, (shared.right - 1) // wide + 1)
    for row, column in product(rows, across):
        place = Area(column * wide, row * tall, wide, tall).intersection(whole)
        if place is not None:
            yield row * columns + column, place


def segment_pixels(file: TiffFile, checked: Page, index: int, place: Area) -> Rgba | None:
    """None where the writer left the segment out. Raises ImageError."""
    page = checked.tags
    planes = page.samplesperpixel if int(page.planarconfig) == SEPARATE_PLANES else 1
    in_a_plane = len(page.dataoffsets) // planes
    samples = []
    for plane in range(planes):
        data = segment_bytes(file, page, plane * in_a_plane + index)
        if not data:
            return None
        shown = (place.height, place.width)
        area = segment_area(page) if page.is_tiled else shown
        segment = Segment(data, plane * in_a_plane + index, plane, place.y, place.x, area, shown)
        samples.append(decoded_segment(checked, segment)[: shown[0], : shown[1]])
    together = samples[0] if planes == 1 else np.dstack(samples)
    return rgba(page, converter_to_bytes(checked)(together))


def segment_bytes(file: TiffFile, page: TiffPage, index: int) -> bytes:
    if index >= min(len(page.dataoffsets), len(page.databytecounts)):
        raise TruncatedImage("the table of its tiles is too short")
    offset, count = int(page.dataoffsets[index]), int(page.databytecounts[index])
    if count > MOST_SEGMENT_BYTES or offset + count > file.filehandle.size:
        raise TruncatedImage(f"its tile {index + 1} is not in the file")
    file.filehandle.seek(offset)
    return bytes(file.filehandle.read(count))


def rgba(page: TiffPage, samples: NDArray[np.uint8]) -> Rgba:
    """Half transparent colours are laid on white; what is wholly so was not scanned."""
    pixels = np.empty((*samples.shape[:2], 4), np.uint8)
    pixels[..., :3] = rgb_of(page, samples)
    pixels[..., 3] = 255
    if (alpha := alpha_sample(page)) is not None:
        pixels[..., 3] = np.where(samples[..., alpha] > 0, 255, 0)
    return pixels
