from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from healer import errors
from healer.images.decode import decode
from healer.images.tile import Tile

LIMIT = 1_000_000


def picture(mode: str = "RGB", size: tuple[int, int] = (31, 17)) -> Image.Image:
    noise = np.random.default_rng(7).integers(0, 256, (size[1], size[0], 3), np.uint8)
    return Image.fromarray(noise).convert(mode)


def encode(image: Image.Image, format: str, **options: object) -> bytes:  # noqa: A002
    buffer = BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def read(data: bytes) -> Tile:
    return decode(data, max_pixels=LIMIT)


@pytest.mark.parametrize("format_", ["PNG", "TIFF", "BMP"])
def test_lossless_formats_keep_every_pixel(format_: str) -> None:
    image = picture()
    assert np.array_equal(read(encode(image, format_)).pixels, np.asarray(image))


@pytest.mark.parametrize("format_", ["JPEG", "WEBP"])
def test_lossy_formats_come_close(format_: str) -> None:
    image = picture().resize((64, 64)).resize((310, 170), Image.Resampling.BICUBIC)
    pixels = read(encode(image, format_, quality=95)).pixels.astype(int)
    assert np.abs(pixels - np.asarray(image)).mean() < 8


@pytest.mark.parametrize(
    ("mode", "format_"),
    [
        ("1", "PNG"), ("L", "PNG"), ("P", "PNG"), ("LA", "PNG"), ("RGBA", "PNG"),
        ("CMYK", "JPEG"), ("CMYK", "TIFF"), ("YCbCr", "JPEG"), ("L", "TIFF"), ("P", "BMP"),
    ],
)  # fmt: skip
def test_every_mode_becomes_rgb(mode: str, format_: str) -> None:
    tile = read(encode(picture(mode), format_))
    assert tile.pixels.shape == (17, 31, 3)
    assert tile.pixels.dtype == np.uint8
    assert (tile.width, tile.height) == (31, 17)


def test_a_cmyk_picture_keeps_its_colours() -> None:
    pink = Image.new("RGB", (8, 8), (230, 120, 180))
    tile = read(encode(pink.convert("CMYK"), "JPEG", quality=100))
    assert np.abs(tile.pixels.astype(int) - (230, 120, 180)).max() < 12


def test_alpha_is_laid_on_white() -> None:
    clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    assert (read(encode(clear, "PNG")).pixels == 255).all()


def test_a_transparent_palette_colour_is_laid_on_white() -> None:
    image = Image.new("P", (4, 4), 0)
    image.putpalette([0, 0, 0, 9, 9, 9])
    assert (read(encode(image, "PNG", transparency=0)).pixels == 255).all()


@pytest.mark.parametrize("format_", ["PNG", "TIFF"])
def test_sixteen_bits_are_scaled_not_cut(format_: str) -> None:
    grey = Image.fromarray(np.array([[0, 32768, 65535]], np.uint16))
    assert read(encode(grey, format_)).pixels[0, :, 0].tolist() == [0, 127, 255]


def test_exif_orientation_is_applied() -> None:
    image = picture()
    exif = Image.Exif()
    exif[0x0112] = 6
    tile = read(encode(image, "PNG", exif=exif))
    assert np.array_equal(tile.pixels, np.rot90(np.asarray(image), -1))


def test_broken_exif_does_not_lose_the_picture() -> None:
    data = encode(picture(), "JPEG", exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff" + b"\xff" * 40)
    assert read(data).pixels.shape == (17, 31, 3)


@pytest.mark.parametrize(("dpi", "mpp"), [(50_800, 0.5), (72, None)])
def test_a_plausible_resolution_gives_the_scale(dpi: int, mpp: float | None) -> None:
    assert read(encode(picture(), "TIFF", dpi=(dpi, dpi))).mpp == mpp


def test_an_empty_file() -> None:
    with pytest.raises(errors.EmptyFile):
        read(b"")


@pytest.mark.parametrize("data", [b"hello, pathologist", b"\x00" * 300, b"{}", b"ID3\x04"])
def test_not_an_image(data: bytes) -> None:
    with pytest.raises(errors.NotAnImage):
        read(data)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (encode(picture("P"), "GIF"), "GIF"),
        (b"%PDF-1.7 ...", "PDF"),
        (b"\x00" * 128 + b"DICM" + b"\x00" * 64, "DICOM"),
        (b"\x00\x00\x00\x18ftypheic", "HEIC"),
    ],
)
def test_a_format_that_is_not_read_is_named(data: bytes, name: str) -> None:
    with pytest.raises(errors.UnsupportedFormat, match=name):
        read(data)


def test_floating_point_pixels_are_refused_by_name() -> None:
    with pytest.raises(errors.UnsupportedFormat, match="floating-point"):
        read(encode(picture("F"), "TIFF"))


@pytest.mark.parametrize("format_", ["PNG", "JPEG", "TIFF", "WEBP", "BMP"])
def test_a_file_cut_anywhere_is_a_clear_error(format_: str) -> None:
    data = encode(picture(size=(120, 90)), format_)
    outcomes = set()
    for end in range(1, len(data) - 1, max(1, len(data) // 150)):
        try:
            decode(data[:end], max_pixels=LIMIT)
        except errors.ImageError as error:
            outcomes.add(error.code)
    assert "truncated_image" in outcomes
    assert outcomes <= {"truncated_image", "not_an_image"}


def png_claiming(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        checksum = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(10_000_000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels)


@pytest.mark.parametrize("size", [(1001, 1000), (60_000, 60_000), (1, 1_000_001)])
def test_a_bomb_is_refused_from_its_header(size: tuple[int, int]) -> None:
    with pytest.raises(errors.TooManyPixels) as caught:
        read(png_claiming(*size))
    assert (caught.value.width, caught.value.height) == size


SEEDS = [encode(picture(), name) for name in ("PNG", "JPEG", "TIFF", "WEBP", "BMP")]


@given(
    seed=st.sampled_from(SEEDS),
    edits=st.lists(st.tuples(st.integers(0, 2**16), st.integers(0, 255)), max_size=12),
)
def test_damaged_bytes_never_raise_anything_else(seed: bytes, edits: list[tuple[int, int]]) -> None:
    data = bytearray(seed)
    for place, value in edits:
        data[place % len(data)] = value
    _answers_or_refuses(lambda: read(bytes(data)))


@given(st.binary(max_size=400))
def test_any_bytes_never_raise_anything_else(data: bytes) -> None:
    _answers_or_refuses(lambda: read(data))


def _answers_or_refuses(step: Callable[[], Tile]) -> None:
    try:
        tile = step()
    except (errors.ImageError, errors.EmptyFile):
        return
    assert tile.pixels.ndim == 3
    assert tile.pixels.shape[2] == 3
