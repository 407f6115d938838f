"""Every coding against the pixels that reference readers show, so that no library's next version
can bring a silent change."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import imagecodecs
import numpy as np
import pytest
import tifffile
from numpy.typing import NDArray

from healer import errors
from healer.images.decode import decode
from tests.images.codings import Coded, codings
from tests.images.refused import Refused, refused

LIMIT = 1_000_000
CODINGS = list(codings())
REFUSED = list(refused())
NOT_OF_TIFFFILE = "a padded last strip"  # which it refuses where it is compressed
NOT_OF_LIBTIFF = "YCbCr 4×4"  # where the right edge cuts a block, it paints that another colour
OF_LIBTIFF = {1, 2, 3, 4, 5, 7, 8, 32773, 34925, 50000}


def difference(coded: Coded) -> NDArray[np.int_]:
    pixels = decode(coded.data, max_pixels=LIMIT).pixels
    assert pixels.shape == coded.pixels.shape
    return np.abs(pixels.astype(int) - coded.pixels)


@pytest.mark.parametrize("coded", CODINGS, ids=lambda coded: coded.name)
def test_a_coding_shows_the_picture(coded: Coded) -> None:
    away = difference(coded)
    assert away.max() <= coded.tolerance
    assert away.mean() < 8


def of_tiffs(expected: Callable[[tifffile.TiffPage], bool], without: str) -> list[Coded]:
    found = []
    for coded in CODINGS:
        if coded.data.startswith((b"II", b"MM")) and without not in coded.name:
            with tifffile.TiffFile(BytesIO(coded.data)) as file:
                if expected(file.pages.first):
                    found.append(coded)
    assert len(found) > 100
    return found


def is_as_sampled(page: tifffile.TiffPage) -> bool:
    """Whether tifffile's samples are the colours, or the greys, as they are shown."""
    return page.photometric in (1, 2) and page.samplesperpixel in (1, 3)


def is_of_libtiff(page: tifffile.TiffPage) -> bool:
    """Whether libtiff's own conversion to RGB takes it; imagecodecs brings libtiff."""
    is_deep = page.bitspersample in (10, 12, 14)
    return page.compression in OF_LIBTIFF and page.samplesperpixel != 4 and not is_deep


@pytest.mark.parametrize(
    "coded", of_tiffs(is_as_sampled, NOT_OF_TIFFFILE), ids=lambda coded: coded.name
)
def test_it_shows_what_tifffile_reads(coded: Coded) -> None:
    with tifffile.TiffFile(BytesIO(coded.data)) as file:
        page = file.pages.first
        samples = page.asarray().astype(float) / (2**page.bitspersample - 1)
        is_planar = page.planarconfig == 2
    shown = samples.transpose(1, 2, 0) if is_planar else samples
    shown = shown[..., None] if shown.ndim == 2 else shown
    pixels = decode(coded.data, max_pixels=LIMIT).pixels
    assert np.abs(pixels - shown * 255).max() <= 1


@pytest.mark.parametrize(
    "coded", of_tiffs(is_of_libtiff, NOT_OF_LIBTIFF), ids=lambda coded: coded.name
)
def test_it_shows_what_libtiff_shows(coded: Coded) -> None:
    theirs = imagecodecs.tiff_decode(coded.data, asrgb=True)[..., :3]
    pixels = decode(coded.data, max_pixels=LIMIT).pixels
    assert np.abs(pixels.astype(int) - theirs).max() <= 1


@pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
def test_what_is_not_read_is_refused_by_name(case: Refused) -> None:
    with pytest.raises(errors.UnsupportedFormat) as caught:
        decode(case.data, max_pixels=LIMIT)
    for word in case.words:
        assert word in str(caught.value)
    assert "damaged" not in str(caught.value)
