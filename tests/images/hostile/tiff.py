"""TIFF: directories of tags that point anywhere in the file, other directories included."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Mapping

import numpy as np

from tests.images.hostile.parts import (
    ANSWERED,
    Corpus,
    case,
    deflated_zeros,
    encode,
    flat,
    good,
    noise,
    tissue,
)

DAMAGED = "truncated_image"
SHORT, LONG, ASCII = 3, 4, 2
WIDTH, HEIGHT, BITS, COMPRESSION, COLOUR = 256, 257, 258, 259, 262
OFFSETS, SAMPLES, ROWS, COUNTS, SUB = 273, 277, 278, 279, 330
TILE_WIDTH, TILE_HEIGHT, TILES, TILE_COUNTS = 322, 323, 324, 325
DEFLATE, LZW = 8, 5
Tags = Mapping[int, int | tuple[int, int, int]]


def directory(tags: Tags, following: int = 0) -> bytes:
    """A value is a number, or (type, count, value or offset)."""
    entries = b"".join(
        struct.pack("<HHII", tag, *(value if isinstance(value, tuple) else (LONG, 1, value)))
        for tag, value in sorted(tags.items())
    )
    return struct.pack("<H", len(tags)) + entries + struct.pack("<I", following)


def file(tags: Tags, pixels: bytes = b"", following: int = 0, tail: bytes = b"") -> bytes:
    """One directory at 8, its strip behind it, and whatever comes after that."""
    head = b"II*\0" + struct.pack("<I", 8)
    at = 8 + len(directory(tags))
    placed = dict(tags) | ({OFFSETS: at, COUNTS: len(pixels)} if pixels else {})
    at = 8 + len(directory(placed))
    placed |= {OFFSETS: at} if pixels else {}
    return head + directory(placed, following) + pixels + tail


GREY: dict[int, int | tuple[int, int, int]] = {
    WIDTH: 64, HEIGHT: 64, BITS: 8, COMPRESSION: 1, COLOUR: 1, SAMPLES: 1, ROWS: 64,
}  # fmt: skip
PIXELS = bytes(64 * 64)
TILED = {TILE_WIDTH: 65_536, TILE_HEIGHT: 65_536, TILES: 8, TILE_COUNTS: 99}
END = len(file(GREY, PIXELS))


def bomb(compression: int) -> bytes:
    return file({**GREY, COMPRESSION: compression}, packed_zeros(compression))


def packed_zeros(compression: int) -> bytes:
    """A strip that unpacks to far more than the 64 × 64 pixels it is of."""
    if compression == DEFLATE:
        return deflated_zeros(100)
    whole = encode(flat(8000, 4000, "L"), "TIFF", compression="tiff_lzw", strip_size=2**26)
    return whole[8:]  # libtiff writes the one strip first


def chained(count: int) -> bytes:
    """That many directories of one tag, each pointing at the next."""
    link = np.dtype([("tags", "<u2"), ("entry", "<u2", 2), ("value", "<u4", 2), ("next", "<u4")])
    links = np.zeros(count, link)
    links["tags"], links["entry"], links["value"] = 1, (WIDTH, LONG), (1, 1)
    links["next"][:-1] = END + link.itemsize * np.arange(1, count)
    return file(GREY, PIXELS, END, links.tobytes())


def nested(depth: int) -> bytes:
    """Each directory's SubIFD tag points at the next."""
    size = len(directory({SUB: 0}))
    start = len(file({**GREY, SUB: 0}, PIXELS))
    links = (directory({SUB: start + size * (each + 1)}) for each in range(depth))
    return file({**GREY, SUB: start}, PIXELS, 0, b"".join(links))


def crowded() -> bytes:
    """16,000 tags, each of which claims the whole file as its value."""
    size = 2 + 16_000 * 12 + 4
    tags: Tags = {
        **dict.fromkeys(range(16_000), (7, size, 8)),
        **{tag: (LONG, 1, value) for tag, value in GREY.items() if isinstance(value, int)},
    }
    return b"II*\0" + struct.pack("<I", 8) + directory(tags)


def big(count: int) -> bytes:
    """BigTIFF, with that many tags, so it says."""
    return b"II+\0\x08\0\0\0" + struct.pack("<QQ", 16, count) + bytes(5000)


def corpus() -> Corpus:
    huge = file({**GREY, WIDTH: 2**31, HEIGHT: 2**31}, PIXELS)
    yield case("claims a huge size", "TIFF, 2³¹ × 2³¹", "too_many_pixels", bytes, huge)
    for name, kind in [("deflate", DEFLATE), ("LZW", LZW)]:
        yield case("bomb", f"TIFF, a {name} strip", ANSWERED, bomb, kind)
    for name, data in directories().items():
        yield case("TIFF directories", f"TIFF, {name}", ANSWERED, bytes, data)
    million = "TIFF, a million directories"
    yield case("TIFF directories", million, "unsupported_format", chained, 1_000_000)
    yield case("TIFF directories", "TIFF, 16,000 tags of the whole file", DAMAGED, crowded)
    yield case("TIFF directories", "TIFF, 2⁶³ tags", DAMAGED, big, 2**63)
    endless = file({**GREY, BITS: (SHORT, 2**32 - 1, 8)}, PIXELS)
    yield case("TIFF directories", "TIFF, a tag of 2³² values", DAMAGED, bytes, endless)
    past = file(GREY, PIXELS, 2**32 - 1)
    yield case("TIFF directories", "TIFF, a directory past the end", DAMAGED, bytes, past)
    rows = file({**GREY, ROWS: 2**31, COMPRESSION: DEFLATE}, zlib.compress(PIXELS))
    yield case("legal oddity", "TIFF, a strip of 2³¹ rows", ANSWERED, bytes, rows)
    for name, data in unread().items():
        yield case("unread pixels", f"TIFF, {name}", "unsupported_format", bytes, data)
    for name, data in broken().items():
        yield case("broken structure", f"TIFF, {name}", DAMAGED, bytes, data)


def directories() -> dict[str, bytes]:
    return {
        "a directory that follows itself": file(GREY, PIXELS, 8),
        "two directories that follow each other": file(GREY, PIXELS, END, directory(GREY, 8)),
        "10,000 SubIFDs in each other": nested(10_000),
        "a SubIFD that holds itself": file({**GREY, SUB: 8}, PIXELS),
        "an EXIF directory that holds itself": file({**GREY, 34_665: 8, 34_853: 8}, PIXELS),
    }


def unread() -> dict[str, bytes]:
    return {
        "65,535 samples": file({**GREY, SAMPLES: 65_535}, PIXELS),
        "RGB of 65,535 samples": file({**GREY, COLOUR: 2, SAMPLES: 65_535}, PIXELS),
        "an unknown compression": file({**GREY, COMPRESSION: 54_321}, PIXELS),
        "old JPEG without a JPEG": file({**GREY, COMPRESSION: 6}, PIXELS),
    }


def broken() -> dict[str, bytes]:
    strip = zlib.compress(PIXELS)
    return {
        "no directory": b"II*\0\0\0\0\0",
        "a directory past the file": b"II*\0\xff\xff\xff\xff",
        "no tags": b"II*\0\x08\0\0\0\0\0\0\0\0\0",
        "a strip past the end": file({**GREY, OFFSETS: 2**31, COUNTS: 4096}),
        "no strips": file(GREY),
        "0 × 0": file({**GREY, WIDTH: 0, HEIGHT: 0}, PIXELS),
        "0 bits": file({**GREY, BITS: 0}, PIXELS),
        "tiles of 65,536 × 65,536": file({**GREY, COMPRESSION: DEFLATE, **TILED}),
        "JPEG without a JPEG": file({**GREY, COMPRESSION: 7}, PIXELS),
        "half a deflate strip": file({**GREY, COMPRESSION: DEFLATE}, strip[: len(strip) // 2]),
        "a text for a width": file({**GREY, WIDTH: (ASCII, 4, 0x41414141)}, PIXELS),
        "noise behind a good header": good("TIFF")[:8] + noise(3000),
    }


def pages() -> bytes:
    return encode(tissue(), "TIFF", save_all=True, append_images=[tissue(seed=8)])
