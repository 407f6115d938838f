"""Where each frame of a series lies: levels split over files, concatenations, tiled fully or
sparsely."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import ceil

from pydicom.dataset import Dataset

from healer.errors.slides import NotBrightfield, SlideDamaged, SlideUnsupported
from healer.hospital.frames import LIMITS
from healer.hospital.series import size_of
from healer.images.dicom import FrameFormat
from healer.slides.formats import VOLUME, check_levels, described
from healer.slides.openslide_file import EPIFLUORESCENCE

FULL = "TILED_FULL"


@dataclass(frozen=True, slots=True)
class FramePlace:
    """A frame of an instance, counted from 1."""

    instance: str
    number: int
    form: FrameFormat


@dataclass(frozen=True, slots=True)
class LevelFrames:
    """Frames by row and column of the tiles; those that are missing were not scanned."""

    width: int
    height: int
    tile_width: int
    tile_height: int
    places: dict[tuple[int, int], FramePlace]


def index_levels(headers: Iterable[Dataset]) -> list[LevelFrames]:
    """Finest first. Raises SlideSeriesIncomplete, SlideUnsupported and NotBrightfield."""
    volumes = [header for header in headers if VOLUME in header.get("ImageType", ())]
    check_levels([described(header) for header in volumes])
    levels: dict[tuple[int, int], LevelFrames] = {}
    for header in volumes:
        _check(header)
        size = size_of(header)
        side = (int(header.Columns), int(header.Rows))
        level = levels.setdefault(size, LevelFrames(*size, *side, {}))
        if side != (level.tile_width, level.tile_height):
            raise SlideUnsupported("a level in tiles of several sizes")
        for place, frame in _places(header, level):
            level.places.setdefault(place, frame)
    return sorted(levels.values(), key=lambda each: -each.width)


def _check(header: Dataset) -> None:
    for path in header.get("OpticalPathSequence", ()):
        for code in path.get("IlluminationTypeCodeSequence", ()):
            if code.get("CodeValue") == EPIFLUORESCENCE:
                raise NotBrightfield("its illumination is stated as epifluorescence")
    if int(header.get("NumberOfOpticalPaths", 1)) > 1:
        raise SlideUnsupported("of several optical paths")
    if int(header.get("SamplesPerPixel", 0)) != 3 or int(header.get("BitsAllocated", 0)) != 8:
        raise SlideUnsupported("not of red, green and blue with 8 bits each")
    if int(header.Rows) * int(header.Columns) > LIMITS.max_pixels:
        raise SlideUnsupported(f"in tiles of {int(header.Columns):,} × {int(header.Rows):,} pixels")


def _places(header: Dataset, level: LevelFrames) -> Iterator[tuple[tuple[int, int], FramePlace]]:
    form = FrameFormat(level.tile_height, level.tile_width, str(header.PhotometricInterpretation))
    instance = str(header.SOPInstanceUID)
    count = int(header.get("NumberOfFrames", 1))
    positions = _full(header, level) if _is_full(header) else _sparse(header, level)
    for number, place in zip(range(1, count + 1), positions, strict=False):
        if place is not None:
            yield place, FramePlace(instance, number, form)


def _is_full(header: Dataset) -> bool:
    groups = header.get("PerFrameFunctionalGroupsSequence")
    return header.get("DimensionOrganizationType") == FULL or not groups


def _full(header: Dataset, level: LevelFrames) -> Iterator[tuple[int, int] | None]:
    """Row by row; of several focal planes the one in the middle. A concatenation's later files
    begin where the one before ended."""
    columns = ceil(level.width / level.tile_width)
    a_plane = columns * ceil(level.height / level.tile_height)
    middle = int(header.get("TotalPixelMatrixFocalPlanes", 1) or 1) // 2
    first = int(header.get("ConcatenationFrameOffsetNumber", 0) or 0)
    for at in range(first, first + int(header.get("NumberOfFrames", 1))):
        plane, tile = divmod(at, a_plane)
        yield divmod(tile, columns) if plane == middle else None


def _sparse(header: Dataset, level: LevelFrames) -> Iterator[tuple[int, int] | None]:
    """Positions are counted from 1, in pixels of the level."""
    for group in header.PerFrameFunctionalGroupsSequence:
        try:
            position = group.PlanePositionSlideSequence[0]
            column = int(position.ColumnPositionInTotalImagePixelMatrix) - 1
            row = int(position.RowPositionInTotalImagePixelMatrix) - 1
        except (AttributeError, IndexError):
            raise SlideDamaged("a frame has no position") from None
        if column % level.tile_width or row % level.tile_height:
            raise SlideUnsupported("in tiles that overlap or leave gaps")
        yield row // level.tile_height, column // level.tile_width
