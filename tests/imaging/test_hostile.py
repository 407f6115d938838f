"""What is legal and odd is read as it is meant; tests/serving/test_hostile.py has all the rest."""

from __future__ import annotations

import numpy as np
import pytest

from healer.imaging import decode
from healer.imaging.claims import webp_canvas
from tests.imaging.hostile import corpus
from tests.imaging.hostile.oddities import Oddity, oddities
from tests.imaging.hostile.parts import encode, good, tissue

ODDITIES = list(oddities())


@pytest.mark.parametrize("oddity", ODDITIES, ids=lambda oddity: oddity.name)
def test_an_odd_picture_shows_what_was_meant(oddity: Oddity) -> None:
    pixels = decode(oddity.data, max_pixels=100_000).pixels
    assert pixels.shape == oddity.pixels.shape
    assert np.abs(pixels.astype(int) - oddity.pixels).mean() <= oddity.tolerance


def test_no_two_pictures_of_the_corpus_have_one_name() -> None:
    names = [(each.group, each.name) for each in corpus()]
    assert len(names) == len(set(names)) > 200


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "TIFF", "BMP"])
def test_only_a_webp_claims_a_canvas(format_: str) -> None:
    assert webp_canvas(good(format_)) is None


def test_a_webps_canvas_is_read_from_each_kind_of_header() -> None:
    lossy = encode(tissue(), "WEBP")
    with_metadata = encode(tissue(), "WEBP", icc_profile=bytes(128), lossless=True)
    for data in (good("WEBP"), lossy, with_metadata):
        assert webp_canvas(data) == (96, 96)
    assert {data[12:16] for data in (good("WEBP"), lossy, with_metadata)} == {
        b"VP8L", b"VP8 ", b"VP8X",
    }  # fmt: skip
