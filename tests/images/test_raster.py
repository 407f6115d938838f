"""PNG, JPEG, WebP and BMP where Pillow alone would show other pixels, or say damage."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from healer import errors
from healer.images.decode import decode
from tests.images.codings import shown
from tests.images.hostile.parts import chunk, encode, tissue
from tests.images.hostile.png import header

LIMIT = 1_000_000


def bitmap_with_alpha(alpha: int, header_size: int) -> bytes:
    """BITFIELDS of 32 bits with a mask for alpha, as V3 (56 bytes), V4 and V5 headers have it."""
    pixels = np.dstack([shown()[::-1, :, ::-1], np.full(shown().shape[:2], alpha, np.uint8)])
    height, width = shown().shape[:2]
    about = struct.pack("<IiiHHIIiiII", header_size, width, height, 1, 32, 3, 0, 0, 0, 0, 0)
    masks = struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    start = 14 + header_size
    head = struct.pack("<2sIHHI", b"BM", start + pixels.size, 0, 0, start)
    return head + (about + masks).ljust(header_size, b"\0") + pixels.tobytes()


@pytest.mark.parametrize("header_size", [56, 108, 124])
@pytest.mark.parametrize("alpha", [0, 255])
def test_a_bitmap_whose_alpha_is_all_alike_is_opaque(header_size: int, alpha: int) -> None:
    pixels = decode(bitmap_with_alpha(alpha, header_size), max_pixels=LIMIT).pixels
    assert np.array_equal(pixels, shown())


def test_a_bitmaps_alpha_that_means_something_is_laid_on_white() -> None:
    pixels = decode(bitmap_with_alpha(100, 124), max_pixels=LIMIT).pixels
    expected = (shown() * (100 / 255) + 155).round()
    assert np.abs(pixels - expected).max() <= 1


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_a_clear_grey_level_is_found_at_every_depth(depth: int) -> None:
    levels = np.arange(2**depth, dtype=np.uint8).repeat(8 // depth if depth < 8 else 1)
    row = np.packbits(np.unpackbits(levels[:, None], axis=1)[:, -depth:].ravel()).tobytes()
    data = (
        header(len(levels), 1, depth=depth, colour=0)
        + chunk(b"tRNS", struct.pack(">H", 1))
        + chunk(b"IDAT", zlib.compress(b"\0" + row))
        + chunk(b"IEND")
    )
    expected = levels.astype(int) * 255 // (2**depth - 1)
    expected[levels == 1] = 255
    assert decode(data, max_pixels=LIMIT).pixels[0, :, 0].tolist() == expected.tolist()


def test_several_pictures_of_one_size_in_a_jpeg_are_several() -> None:
    data = encode(tissue(), "MPO", save_all=True, append_images=[tissue(seed=8)])
    with pytest.raises(errors.UnsupportedFormat, match="a JPEG of 2 pictures"):
        decode(data, max_pixels=LIMIT)
    second = decode(data, max_pixels=LIMIT, page=2)
    assert np.abs(second.pixels.astype(int) - np.asarray(tissue(seed=8))).mean() < 12


def test_a_preview_in_a_jpeg_is_no_further_picture() -> None:
    small = tissue().resize((24, 24))
    data = encode(tissue(), "MPO", save_all=True, append_images=[small])
    assert decode(data, max_pixels=LIMIT).pixels.shape == (96, 96, 3)


def test_a_single_frame_of_an_animation_format_is_a_picture() -> None:
    buffer = BytesIO()
    tissue().save(buffer, "WEBP", lossless=True, save_all=True)
    pixels = decode(buffer.getvalue(), max_pixels=LIMIT).pixels
    assert np.array_equal(pixels, np.asarray(tissue()))


def test_sixteen_bits_of_colour_are_the_same_in_png_and_tiff() -> None:
    from tests.images.codings import written

    noise = np.random.default_rng(7).integers(0, 65_536, (20, 30, 3), np.uint16)
    rows = noise.astype(">u2").reshape(20, -1)
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    png = header(30, 20, depth=16) + chunk(b"IDAT", packed) + chunk(b"IEND")
    of_png, of_tiff = (decode(data, max_pixels=LIMIT).pixels for data in (png, written(noise)))
    assert np.array_equal(of_png, of_tiff)
    grey = Image.fromarray(noise[..., 0])
    of_png, of_tiff = (
        decode(encode(grey, kind), max_pixels=LIMIT).pixels for kind in ("PNG", "TIFF")
    )
    assert np.array_equal(of_png, of_tiff)
