"""TIFF whose strips and tiles hold other formats' pictures, and far more of them than they say."""

from __future__ import annotations

import struct

import imagecodecs
import numpy as np

from tests.images.hostile.parts import Corpus, case, deflated_zeros, encode, flat, good, noise
from tests.images.hostile.tiff import (
    COMPRESSION,
    COUNTS,
    DEFLATE,
    GREY,
    HEIGHT,
    LONG,
    OFFSETS,
    PIXELS,
    TILE_COUNTS,
    TILE_HEIGHT,
    TILE_WIDTH,
    TILES,
    WIDTH,
    Tags,
    directory,
    file,
)
from tests.images.hostile.webp import canvas, riff

DAMAGED = "truncated_image"
DESCRIPTION, ASCII = 270, 2
JPEG, JPEG_2000, LERC, WEBP, ZSTANDARD, JPEG_XL = 7, 34712, 34887, 50001, 50000, 50002
LAUGHS = b"".join(b'<!ENTITY l%d "%s">' % (each + 1, b"&l%d;" % each * 10) for each in range(20))


def holding(compression: int, picture: bytes) -> bytes:
    """64 × 64 in grey, so it says; one strip that is `picture`."""
    return file({**GREY, COMPRESSION: compression}, picture)


def large_jpeg() -> bytes:
    return encode(flat(8000, 8000, "L"), "JPEG")


def large_jpeg_2000(side: int) -> bytes:
    """A good codestream whose header claims another size."""
    data = bytearray(imagecodecs.jpeg2k_encode(np.zeros((64, 64), np.uint8), codecformat="J2K"))
    at = data.index(b"\xff\x51") + 6
    data[at : at + 8] = struct.pack(">II", side, side)
    data[at + 16 : at + 24] = struct.pack(">II", side, side)
    return bytes(data)


def large_jpeg_xl() -> bytes:
    return bytes(imagecodecs.jpegxl_encode(np.zeros((8000, 8000), np.uint8)))


def large_lerc() -> bytes:
    return bytes(imagecodecs.lerc_encode(np.zeros((8000, 8000), np.uint8)))


def swapped() -> bytes:
    """As many pixels as the strip has, in rows of another length."""
    return encode(flat(128, 32, "L"), "JPEG")


def table_of(count: int, picture: int, tile: int) -> bytes:
    """That many tiles, of which each is the same few bytes, for a square picture."""
    tags: Tags = {
        **GREY, WIDTH: picture, HEIGHT: picture, TILE_WIDTH: tile, TILE_HEIGHT: tile,
        COMPRESSION: DEFLATE,
    }  # fmt: skip
    start = 8 + len(directory({**tags, TILES: 0, TILE_COUNTS: 0}))
    tables = {TILES: (LONG, count, start), TILE_COUNTS: (LONG, count, start + 4 * count)}
    head = b"II*\0" + struct.pack("<I", 8) + directory({**tags, **tables})
    return head + np.full(count, 8, "<u4").tobytes() + np.full(count, 20, "<u4").tobytes()


def described(text: bytes) -> bytes:
    tags: Tags = {**GREY, DESCRIPTION: (ASCII, len(text), 0)}
    at = 8 + len(directory({**tags, OFFSETS: 0, COUNTS: 0})) + len(PIXELS)
    return file({**GREY, DESCRIPTION: (ASCII, len(text), at)}, PIXELS, tail=text)


def big_loop(order: str) -> bytes:
    """A BigTIFF whose only directory, without a pixel, follows itself."""
    head = b"II+\0" if order == "<" else b"MM\0+"
    entry = struct.pack(order + "HHQQ", 256, 4, 1, 64 << (0 if order == "<" else 32))
    body = struct.pack(order + "Q", 1) + entry + struct.pack(order + "Q", 16)
    return head + struct.pack(order + "HHQ", 8, 0, 16) + body


def corpus() -> Corpus:
    for name, compression, make in [
        ("a JPEG of 8000 × 8000", JPEG, large_jpeg),
        ("a JPEG XL of 8000 × 8000", JPEG_XL, large_jpeg_xl),
        ("LERC of 8000 × 8000", LERC, large_lerc),
    ]:
        data = holding(compression, make())
        yield case("bomb", f"TIFF of 64 × 64, {name} in it", DAMAGED, bytes, data)
    for side in (60_000, 2**31 - 1):
        data = holding(JPEG_2000, large_jpeg_2000(side))
        yield case("bomb", f"TIFF of 64 × 64, JPEG 2000 of {side} × {side}", DAMAGED, bytes, data)
    webp = holding(WEBP, riff(canvas(2**14, 2**14), good("WEBP")[12:]))
    yield case("bomb", "TIFF of 64 × 64, a WebP of 16384 × 16384 in it", DAMAGED, bytes, webp)
    zeros = holding(ZSTANDARD, bytes(imagecodecs.zstd_encode(bytes(100_000_000))))
    yield case("bomb", "TIFF, a Zstandard strip of 100 MB", DAMAGED, bytes, zeros)
    cut = holding(DEFLATE, deflated_zeros(100)[:8])
    yield case("bomb", "TIFF, a deflate strip of 100 MB, cut off", DAMAGED, bytes, cut)
    turned = holding(JPEG, swapped())
    yield case("broken structure", "TIFF, a JPEG of another width in it", DAMAGED, bytes, turned)
    for compression in (JPEG, JPEG_2000, LERC, WEBP, ZSTANDARD, JPEG_XL, 34925, 34933, 34934):
        data = holding(compression, noise(4000))
        name = f"TIFF, compression {compression} and noise"
        yield case("broken structure", name, DAMAGED, bytes, data)
    for million, picture, tile, outcome in (
        (1_000_000, 64, 16, DAMAGED),
        (1_000_000, 1000, 1, "unsupported_format"),
        (1_000_000, 16_000, 16, "too_many_pixels"),
        (100_000, 5000, 16, DAMAGED),
    ):
        name = f"TIFF, {million:,} tiles of {tile} × {tile} for {picture} × {picture}"
        yield case("many parts", name, outcome, table_of, million, picture, tile)
    bomb = b'<?xml version="1.0"?><!DOCTYPE OME [<!ENTITY l0 "ha">' + LAUGHS + b"]><OME>&l20;</OME>"
    yield case("huge metadata", "TIFF, an XML entity bomb", "answered", described, bomb)
    deep = b"<a>" * 200_000 + b"</OME>"
    yield case("huge metadata", "TIFF, XML 200,000 deep", "answered", described, deep)
    for order in "<>":
        name = f"BigTIFF{order}, a directory that follows itself"
        yield case("TIFF directories", name, DAMAGED, big_loop, order)
