"""Which reader opens a slide file; runs where a file may crash it without harm."""

from __future__ import annotations

from pathlib import Path

from healer.errors.request import EmptyFile, ImageError, UnsupportedFormat
from healer.errors.slides import (
    NotASlide,
    SlideDamaged,
    SlidesNotInstalled,
    SlideUnsupported,
)
from healer.slides.reader import ColourChoice
from healer.slides.slide_file import SlideFile

TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
DICOM_MARK, DICOM_MARK_AT = b"DICM", 128
PLAIN_TIFFS = ("generic-tiff", "aperio")  # of which any TIFF reader makes sense
CUT_SHORT = "its directories cannot be read, as where a file was cut short"


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
        from healer.slides.dicom_series import check_series, is_ycbcr_called_rgb

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


MULTIPLE_FILES = (".mrxs", ".vms", ".vmu")


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
