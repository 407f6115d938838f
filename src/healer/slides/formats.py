"""Which reader opens a slide file, and whether a DICOM series is whole before it is opened.

Runs where a file may crash it without harm.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

from healer.errors.request import EmptyFile, ImageError, UnsupportedFormat
from healer.errors.slides import (
    NotASlide,
    SlideDamaged,
    SlideSeriesIncomplete,
    SlidesNotInstalled,
    SlideUnsupported,
)
from healer.slides.reader import ColourChoice
from healer.slides.slide_file import SlideFile

if TYPE_CHECKING:
    from pydicom import Dataset

JPEG_START, JFIF_AT = b"\xff\xd8\xff", 6
FIRST_FRAME_WITHIN = 4 * 1024 * 1024  # bytes from the pixel data's start: a table may come before
VOLUME, RESAMPLED = "VOLUME", "RESAMPLED"
WANTED_TAGS = [
    "SeriesInstanceUID",
    "ImageType",
    "NumberOfFrames",
    "Rows",
    "Columns",
    "TotalPixelMatrixRows",
    "TotalPixelMatrixColumns",
    "DimensionOrganizationType",
    "ConcatenationUID",
    "InConcatenationTotalNumber",
]
TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
DICOM_MARK, DICOM_MARK_AT = b"DICM", 128
PLAIN_TIFFS = ("generic-tiff", "aperio")  # of which any TIFF reader makes sense
MULTIPLE_FILES = (".mrxs", ".vms", ".vmu")
CUT_SHORT = "its directories cannot be read, as where a file was cut short"


@dataclass(frozen=True, slots=True)
class Instance:
    """One file of a series: a level of the pyramid, or a part of one."""

    series: str
    kind: tuple[str, ...]
    frames: int
    frames_needed: int | None
    columns: int
    rows: int
    concatenation: str | None
    concatenation_files: int

    @property
    def is_level(self) -> bool:
        return VOLUME in self.kind

    @property
    def name(self) -> str:
        return f"{self.columns:,} × {self.rows:,}"


def check_series(member: Path) -> None:
    """Raises SlideSeriesIncomplete, which names the level that lacks files, and SlideDamaged."""
    chosen = read_instance(member)
    if chosen is None:
        raise SlideDamaged("its DICOM header cannot be read")
    series = [each for each in instances(member.parent) if each.series == chosen.series]
    check_levels([each for each in series if each.is_level])


def check_levels(levels: list[Instance]) -> None:
    """Raises SlideSeriesIncomplete."""
    missing = [*_base(levels), *_parts(levels), *_frames(levels)]
    if missing:
        raise SlideSeriesIncomplete("; ".join(missing))


def is_ycbcr_called_rgb(member: Path) -> bool:
    """Whether its header says RGB where its JPEGs, being JFIF, hold YCbCr: readers that believe the
    header show glass as red."""
    import pydicom

    with member.open("rb") as file:
        header = pydicom.dcmread(
            file, stop_before_pixels=True, specific_tags=["PhotometricInterpretation"]
        )
        if header.get("PhotometricInterpretation") != "RGB":
            return False
        start = file.read(FIRST_FRAME_WITHIN)
    frame = start.find(JPEG_START)
    return frame >= 0 and start[frame + JFIF_AT :].startswith(b"JFIF")


def instances(folder: Path) -> Iterator[Instance]:
    for path in sorted(folder.iterdir()):
        instance = read_instance(path)
        if instance is not None:
            yield instance


def read_instance(path: Path) -> Instance | None:
    """None for what is no DICOM image."""
    import pydicom
    from pydicom.errors import InvalidDicomError

    try:
        header = pydicom.dcmread(path, stop_before_pixels=True, specific_tags=WANTED_TAGS)
        return described(header)
    except (InvalidDicomError, OSError, ValueError, TypeError, KeyError, NotImplementedError):
        return None


def described(header: Dataset) -> Instance:
    columns, rows = (int(header.get(f"TotalPixelMatrix{n}", 0)) for n in ("Columns", "Rows"))
    tile_columns, tile_rows = int(header.get("Columns", 0)), int(header.get("Rows", 0))
    is_full = header.get("DimensionOrganizationType") == "TILED_FULL"
    needed = None
    if is_full and tile_columns and tile_rows:
        needed = ceil(columns / tile_columns) * ceil(rows / tile_rows)
    concatenation = header.get("ConcatenationUID")
    return Instance(
        series=str(header.get("SeriesInstanceUID")),
        kind=tuple(str(word) for word in header.get("ImageType", ())),
        frames=int(header.get("NumberOfFrames", 1)),
        frames_needed=needed,
        columns=columns,
        rows=rows,
        concatenation=None if concatenation is None else str(concatenation),
        concatenation_files=int(header.get("InConcatenationTotalNumber", 1)),
    )


def _base(levels: list[Instance]) -> Iterator[str]:
    """The finest level is the one that is not resampled from another."""
    if not levels:
        yield "every level: only thumbnails, labels or overviews are there"
    elif all(RESAMPLED in each.kind for each in levels):
        largest = max(levels, key=lambda each: each.columns)
        yield f"the finest level; the largest that is there is {largest.name} pixels"


def _parts(levels: list[Instance]) -> Iterator[str]:
    for uid in sorted({each.concatenation for each in levels if each.concatenation}):
        parts = [each for each in levels if each.concatenation == uid]
        wanted = max(each.concatenation_files for each in parts)
        if len(parts) < wanted:
            yield f"{wanted - len(parts)} of the {wanted} files of the level of {parts[0].name}"


def _frames(levels: list[Instance]) -> Iterator[str]:
    for each in levels:
        if each.concatenation is None and each.frames_needed and each.frames < each.frames_needed:
            yield (
                f"{each.frames_needed - each.frames:,} of the {each.frames_needed:,} tiles of the "
                f"level of {each.name}"
            )


def open_slide_file(path: Path, colour: ColourChoice) -> SlideFile:
    """Raises SlideError."""
    try:
        return _open(path, colour)
    except ImportError as error:
        raise SlidesNotInstalled(error.name or str(error)) from None
    except ImageError as error:
        raise as_slide_error(error) from None


def as_slide_error(error: ImageError) -> SlideDamaged | SlideUnsupported:
    if isinstance(error, UnsupportedFormat):
        return SlideUnsupported(error.format)
    reason = getattr(error, "reason", None)
    return SlideDamaged(reason if isinstance(reason, str) else str(error))


def is_dicom(path: Path) -> bool:
    return start_of(path)[DICOM_MARK_AT : DICOM_MARK_AT + 4] == DICOM_MARK


def start_of(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(DICOM_MARK_AT + 4)


def _open(path: Path, colour: ColourChoice) -> SlideFile:
    from openslide import OpenSlide, OpenSlideError

    start = start_of(path)
    if not start:
        raise EmptyFile
    is_tiff = start.startswith(TIFF_STARTS)
    if is_tiff and _is_for_tifffile(path):
        return _open_tiff(path, colour)
    is_ycbcr = False
    if start[DICOM_MARK_AT:] == DICOM_MARK:
        check_series(path)
        is_ycbcr = is_ycbcr_called_rgb(path)
    vendor = OpenSlide.detect_format(str(path))
    if vendor is None:
        return _unknown_to_openslide(path, colour, is_tiff)
    try:
        return _open_with_openslide(path, colour, is_ycbcr)
    except OpenSlideError as error:
        from healer.slides.openslide_file import reason_of

        if is_tiff and vendor in PLAIN_TIFFS:
            return _open_tiff(path, colour)
        raise SlideDamaged(reason_of(error, str(path))) from None


def _unknown_to_openslide(path: Path, colour: ColourChoice, is_tiff: bool) -> SlideFile:
    if is_tiff:
        return _open_tiff(path, colour)
    if path.suffix.lower() in MULTIPLE_FILES:
        raise SlideDamaged("the files that belong to it are missing or damaged")
    raise NotASlide


def _open_with_openslide(path: Path, colour: ColourChoice, is_ycbcr: bool) -> SlideFile:
    from healer.slides.openslide_file import OpenSlideFile

    return OpenSlideFile(str(path), colour, is_ycbcr=is_ycbcr)


def _is_for_tifffile(path: Path) -> bool:
    """OpenSlide sees one level of an OME-TIFF's pyramid, and not what its channels are. A chain of
    directories without end is found here too: raises SlideDamaged."""
    from tifffile import TiffFile, TiffFileError

    from healer.slides.tiff_file import first_pages

    try:
        with path.open("rb") as stream, TiffFile(stream) as file:
            first_pages(file)
            return file.is_ome or file.is_qpi
    except (TiffFileError, ValueError, KeyError, IndexError, TypeError, OSError):
        raise SlideDamaged(CUT_SHORT) from None


def _open_tiff(path: Path, colour: ColourChoice) -> SlideFile:
    from healer.slides.tiff_file import TiffSlideFile

    try:
        return TiffSlideFile(str(path), colour)
    except (MemoryError, ImageError, SlideDamaged, SlideUnsupported):
        raise
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, OSError):
        raise SlideDamaged(CUT_SHORT) from None
