"""Small files that were once read wrongly, kept beside the test data; rebuilt in test_codings."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from healer import errors
from healer.images.decode import decode
from tests.conftest import REPO

DATA = Path(os.environ.get("HEALER_TEST_DATA", REPO.parent / "shared" / "data"))
CASES = DATA.parent / "cases" / "images"
LIMIT = 1_000_000
READ = {
    "00-plain.png": 0,
    "bmp-v4-bitfields-alpha0.bmp": 0,
    "tif-aperio33005.tif": 0,
    "tif-big-raw-be.tif": 0,
    "tif-jp2k-34712.tif": 0,
    "tif-rgb16-planar.tif": 0,
    "tif-rgba16-planar.tif": 0,
    "tif-ycbcr-lzw-22.tif": 4,
    "tif-ycbcr-raw-21-behind.tif": 4,
    "tif-palette-8bitmap.tif": 4,
}
REFUSED = {
    "ome-three-pages.ome.tif": "3 channels, one a page",
    "tif-rgb-float.tif": "floating-point",
}


def case(name: str) -> bytes:
    if not (CASES / name).is_file():
        pytest.skip(f"no {name} here: HEALER_TEST_DATA has no folder cases/images beside it")
    return (CASES / name).read_bytes()


def plain() -> NDArray[np.uint8]:
    case("00-plain.png")
    return np.asarray(Image.open(CASES / "00-plain.png").convert("RGB"))


@pytest.mark.parametrize(("name", "tolerance"), READ.items())
def test_a_case_shows_the_plain_picture(name: str, tolerance: float) -> None:
    """To within so many levels on average: fewer colours, or fewer samples of them, cost some."""
    pixels = decode(case(name), max_pixels=LIMIT).pixels
    assert pixels.shape == plain().shape
    assert np.abs(pixels.astype(int) - plain()).mean() <= tolerance


def test_white_is_zero_is_inverted() -> None:
    """The file holds the plain picture's green as it is, and says that white is zero."""
    pixels = decode(case("tif-miniswhite16.tif"), max_pixels=LIMIT).pixels
    assert np.array_equal(pixels, np.repeat(255 - plain()[..., 1:2], 3, axis=2))


@pytest.mark.parametrize(("name", "words"), REFUSED.items())
def test_a_case_is_refused_by_name(name: str, words: str) -> None:
    with pytest.raises(errors.UnsupportedFormat, match=words):
        decode(case(name), max_pixels=LIMIT)


def test_every_case_has_its_right_answer() -> None:
    case("00-plain.png")
    known = {*READ, *REFUSED, "tif-miniswhite16.tif"}
    assert {path.name for path in CASES.iterdir()} <= known
