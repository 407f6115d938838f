"""What is legal and odd is read as it is meant; tests/server/test_hostile.py has all the rest."""

from __future__ import annotations

from collections.abc import Callable

import imagecodecs
import numpy as np
import pytest

from healer.images.decode import decode
from healer.images.headers import CLAIMS, webp_canvas
from tests.images.hostile import corpus
from tests.images.hostile.oddities import Oddity, oddities
from tests.images.hostile.parts import encode, good, noise, tissue

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


@pytest.mark.parametrize("compression", CLAIMS)
@pytest.mark.parametrize("size", [(96, 64), (77, 513), (40, 30), (32, 32), (64, 128), (9000, 16)])
def test_the_size_of_a_picture_in_a_tiff_is_known_before_it_is_decoded(
    compression: int, size: tuple[int, int]
) -> None:
    width, height = size
    pixels = np.zeros((height, width, 3), np.uint8)
    encoders: dict[int, Callable[..., bytes | bytearray]] = {
        34712: imagecodecs.jpeg2k_encode,
        34887: imagecodecs.lerc_encode,
        34933: imagecodecs.png_encode,
        34934: imagecodecs.jpegxr_encode,
        50001: imagecodecs.webp_encode,
        50002: imagecodecs.jpegxl_encode,
    }
    claim = CLAIMS[compression]
    encoder = next(each for code, each in encoders.items() if CLAIMS[code] is claim)
    assert claim(bytes(encoder(pixels))) == size
    assert claim(b"") is None
    assert claim(noise(300)) is None
