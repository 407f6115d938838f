"""Good files, spoilt at random: what a `random.Random` decides is the same each time."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from random import Random

import numpy as np
from PIL import Image

from tests.images.codings import sixteen, written
from tests.images.hostile.parts import FORMATS, LOSSLESS, encode, tissue

# Where a length, a count or an offset goes wrong.
NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
LONGEST = 64 * 1024


@cache
def seeds() -> tuple[bytes, ...]:
    """One small file or more for each way that a format is written."""
    tile = tissue(32)
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "maker"
    two = {"save_all": True, "append_images": [tissue(32, seed=8)]}
    plain = [encode(tile, each, **LOSSLESS.get(each, {})) for each in FORMATS]
    described = [encode(tile, each, exif=exif, icc_profile=bytes(128)) for each in FORMATS[:4]]
    moving = [encode(tile, each, **two) for each in ("PNG", "TIFF", "WEBP")]
    packed = [
        encode(tile, "TIFF", compression=each)
        for each in ("tiff_adobe_deflate", "tiff_lzw", "jpeg", "packbits")
    ]
    modes = [
        encode(tile.quantize(16), "PNG", transparency=3),
        encode(tile.convert("1"), "TIFF", compression="group4"),
        encode(tile.convert("I;16"), "TIFF"),
        encode(tile.convert("CMYK"), "JPEG", progressive=True),
        encode(tile.convert("RGBA"), "WEBP"),
        encode(tile.quantize(16), "BMP"),
    ]
    return (*plain, *described, *moving, *packed, *modes, *tiffs())


def tiffs() -> Iterator[bytes]:
    """As microscopes write them."""
    pixels = np.asarray(tissue(32))
    for compression in ("jpeg2000", "webp", "jpegxl", "lerc", "zstd", "png", "jpegxr"):
        yield written(pixels, compression=compression)
    planes = sixteen(pixels).transpose(2, 0, 1).copy()
    for order, big in (("<", False), (">", False), ("<", True), (">", True)):
        yield written(planes, byteorder=order, bigtiff=big, planarconfig="separate")
    yield written(pixels, compression="lzw", predictor=True, tile=(16, 16))
    yield encode(tissue(32).convert("YCbCr"), "TIFF", compression="tiff_lzw")
    yield encode(tissue(32).quantize(16), "TIFF")


def mutated(chance: Random, sources: Sequence[bytes]) -> bytes:
    """One of the sources after one to six changes, at most LONGEST bytes."""
    data = bytearray(chance.choice(sources))
    for _ in range(chance.randint(1, 6)):
        chance.choice(CHANGES)(data, chance, sources)
    if chance.random() < 0.8:  # or a wrong checksum would be all that is ever found
        mend(data)
    return bytes(data[:LONGEST])


def place(data: bytearray, chance: Random) -> int:
    """Anywhere, and in half of all cases where headers are."""
    end = min(len(data), 128) if chance.random() < 0.5 else len(data)
    return chance.randrange(end + 1)


def piece(data: bytes | bytearray, chance: Random, longest: int = 256) -> slice:
    start = chance.randrange(len(data) + 1)
    return slice(start, start + chance.randint(1, longest))


def flip(data: bytearray, chance: Random, _sources: Sequence[bytes]) -> None:
    at = place(data, chance)
    for index in range(at, min(at + chance.randint(1, 4), len(data))):
        data[index] ^= 1 << chance.randrange(8)


def number(data: bytearray, chance: Random, _sources: Sequence[bytes]) -> None:
    layout = chance.choice(("<B", "<H", ">H", "<I", ">I"))
    size = struct.calcsize(layout)
    at = place(data, chance)
    data[at : at + size] = struct.pack(layout, chance.choice(NUMBERS) & (256**size - 1))


def cut(data: bytearray, chance: Random, _sources: Sequence[bytes]) -> None:
    del data[place(data, chance) :]


def drop(data: bytearray, chance: Random, _sources: Sequence[bytes]) -> None:
    del data[piece(data, chance)]


def double(data: bytearray, chance: Random, _sources: Sequence[bytes]) -> None:
    at = place(data, chance)
    data[at:at] = data[piece(data, chance)] * chance.choice((1, 1, 1, 2, 60))


def swap(data: bytearray, chance: Random, _sources: Sequence[bytes]) -> None:
    one, other = piece(data, chance), piece(data, chance)
    data[one], data[other] = data[other], data[one]


def splice(data: bytearray, chance: Random, sources: Sequence[bytes]) -> None:
    other = chance.choice(sources)
    at = place(data, chance)
    data[at:at] = other[piece(other, chance, len(other))]


def insert(data: bytearray, chance: Random, _sources: Sequence[bytes]) -> None:
    at = place(data, chance)
    data[at:at] = chance.randbytes(chance.randint(1, 32))


Change = Callable[[bytearray, Random, Sequence[bytes]], None]
CHANGES: tuple[Change, ...] = (flip, flip, number, number, cut, drop, double, swap, splice, insert)


def mend(data: bytearray) -> None:
    """Right checksums for a PNG's chunks, as far as they can be followed."""
    at = 8
    while data[:4] == b"\x89PNG" and at + 12 <= len(data):
        end = at + 8 + struct.unpack_from(">I", data, at)[0]
        if end + 4 > len(data):
            return
        struct.pack_into(">I", data, end, zlib.crc32(data[at + 4 : end]))
        at = end + 4
