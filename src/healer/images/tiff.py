"""TIFF: one page of one to many, through tifffile and imagecodecs, as a viewer shows it."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from healer.errors.request import PageNotFound, TooManyPixels, TruncatedImage, UnsupportedFormat
from healer.images.tiff_coding import ADVICE, BLACK_IS_ZERO, check_coding, rgb_of, upright
from healer.images.tiff_segments import samples_of
from healer.images.tiff_structure import (
    SUB_DIRECTORIES,
    Directory,
    Planes,
    directories,
    planes_of,
)
from healer.images.tile import Tile, is_reduced_copy, mpp_of, several_pages

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage

Pixels = NDArray[np.uint8]

ORIENTATION, X_RESOLUTION, Y_RESOLUTION, RESOLUTION_UNIT = 274, 282, 283, 296
DPI_OF_UNIT = {2: 1.0, 3: 2.54}  # the unit is an inch, or a centimetre
MOST_COMPARED = 16
SCANNER = "Aperio"  # how descriptions of its slides begin, and of others' that were made alike


@dataclass(frozen=True, slots=True)
class _Reader:
    data: bytes
    file: TiffFile
    max_pixels: int

    def page(self, directory: Directory) -> TiffPage:
        from tifffile import TiffPage

        self.file.filehandle.seek(directory.offset)
        page = TiffPage(self.file, index=directory.number - 1)
        if (page.imagewidth, page.imagelength) != directory.size:
            raise TruncatedImage("its tags give two sizes")
        return page

    def pixels(self, directory: Directory) -> tuple[TiffPage, Pixels]:
        """In the file's own orientation."""
        _check_size(directory, self.max_pixels)
        page = self.page(directory)
        check_coding(page)
        return page, rgb_of(page, samples_of(page, self.data, self.max_pixels))


def read_tiff(data: bytes, *, max_pixels: int, page: int | None = None) -> Tile:
    """Page number `page`, from 1; without one, the file's only page of full size."""
    chain = directories(data)
    candidates = _numbered(chain, page) if page is not None else _full_size(chain)
    _check_size(candidates[0], max_pixels)
    with _open_tiff(data) as file:
        reader = _Reader(data, file, max_pixels)
        planes = planes_of(reader.page(chain[0]))
        if planes is not None and planes.channels > 1:
            return _joined_planes(reader, chain, planes)
        chosen = candidates[0]
        tags, pixels = reader.pixels(chosen)
        if page is None:
            _check_directories(chain, planes)
            _check_alone(reader, candidates, pixels, len(chain))
    number = chosen.number if len(chain) > 1 else None
    levels = _levels_of_slide(chain, tags) if page is None else 0
    return replace(_tile(tags, pixels, number), levels=levels)


def _numbered(chain: Sequence[Directory], page: int) -> list[Directory]:
    if not 1 <= page <= len(chain):
        raise PageNotFound(page, len(chain))
    return [chain[page - 1]]


def _full_size(chain: Sequence[Directory]) -> list[Directory]:
    """All that do not say they are smaller copies of others."""
    full = [each for each in chain if not each.is_reduced]
    if not full and any(SUB_DIRECTORIES in each.tags for each in chain):
        raise UnsupportedFormat(
            "a TIFF whose pages are previews of a picture that lies behind them (in a SubIFD)",
            ADVICE,
            len(chain),
        )
    return full or list(chain[:1])


def _check_size(directory: Directory, max_pixels: int) -> None:
    width, height = directory.size
    if width < 1 or height < 1:
        raise TruncatedImage(f"a picture of {width} × {height}")
    if width * height > max_pixels:
        raise TooManyPixels(width, height, max_pixels)


def _check_directories(chain: Sequence[Directory], planes: Planes | None) -> None:
    """ImageJ and tifffile can leave all pictures but the first without a directory."""
    if planes is not None and planes.images > len(chain):
        raise UnsupportedFormat(
            f"a TIFF of {planes.images:,} pictures, of which {len(chain):,} can be found "
            f"({planes.writer})",
            "Export the one that matters as a TIFF, or a PNG, of its own.",
        )


def _check_alone(
    reader: _Reader, candidates: Sequence[Directory], pixels: Pixels, pages: int
) -> None:
    """Raises UnsupportedFormat where the file holds other pictures too."""
    first, *others = candidates
    smaller = [each for each in others if _may_be_reduced(each, first)]
    if len(smaller) < len(others) or len(smaller) > MOST_COMPARED:
        raise several_pages("TIFF", len(candidates), pages)
    for each in smaller:
        if not is_reduced_copy(reader.pixels(each)[1], pixels):
            raise several_pages("TIFF", len(candidates), pages)


def _may_be_reduced(one: Directory, full: Directory) -> bool:
    (width, height), (full_width, full_height) = one.size, full.size
    is_half = 2 * width <= full_width + 2 and 2 * height <= full_height + 2
    return is_half and abs(width * full_height - height * full_width) <= 2 * max(full.size)


def _levels_of_slide(chain: Sequence[Directory], tags: TiffPage) -> int:
    """How many levels a scanner's pyramid has; 0 for an ordinary TIFF, whose picture has at most
    one smaller copy beside it."""
    smaller = sum(_may_be_reduced(each, chain[0]) for each in chain[1:])
    scanned = isinstance(tags.description, str) and tags.description.startswith(SCANNER)
    return 1 + smaller if smaller > 1 or (scanned and len(chain) > 1) else 0


def _joined_planes(reader: _Reader, chain: Sequence[Directory], planes: Planes) -> Tile:
    """Red, green and blue from a page each, where the file says which is which and no more."""
    same_size = {each.size for each in chain} == {chain[0].size}
    if planes.rgb and len(chain) == planes.images == 3 and same_size:
        read = [reader.pixels(chain[place]) for place in planes.rgb]
        tags = read[0][0]
        if all(int(each.photometric) == BLACK_IS_ZERO for each, _ in read):
            return _tile(tags, np.stack([pixels[..., 0] for _, pixels in read], axis=2), None)
    raise UnsupportedFormat(
        f"a TIFF of {planes.channels} channels, one a page ({planes.writer}), and does not say "
        "that they are red, green and blue",
        ADVICE,
        len(chain),
    )


def _tile(tags: TiffPage, pixels: Pixels, number: int | None) -> Tile:
    orientation = tags.tags.valueof(ORIENTATION, 1)
    turned = upright(pixels, orientation if isinstance(orientation, int) else 1)
    return Tile(pixels=turned, mpp=mpp_of(_dpi(tags)), page=number)


def _dpi(page: TiffPage) -> float | None:
    """Along x, where y has one too and the unit is one of length."""
    unit = page.tags.valueof(RESOLUTION_UNIT, 2)
    along_x, along_y = (page.tags.valueof(tag) for tag in (X_RESOLUTION, Y_RESOLUTION))
    match along_x, along_y:
        case (int(top), int(bottom)), (int(), int()) if bottom and unit in DPI_OF_UNIT:
            return top / bottom * DPI_OF_UNIT[unit]
    return None


@contextmanager
def _open_tiff(data: bytes) -> Iterator[TiffFile]:
    from tifffile import TiffFile

    logging.getLogger("tifffile").disabled = True  # it quotes text of the file
    # Vendor readers follow other tags to other pages: the pages are chosen here.
    tiff = TiffFile(BytesIO(data), is_lsm=False, is_ndpi=False, is_scanimage=False)
    with tiff as file:
        yield file
