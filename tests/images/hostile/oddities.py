"""Legal and odd: read as it is meant, or a wrong answer would look like a right one."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from tests.images.hostile.parts import ANSWERED, LOSSLESS, Corpus, case, chunk, encode, tissue
from tests.images.hostile.png import header

TURNS = Image.Transpose
# How a picture lies that each EXIF orientation puts upright.
STORED = {
    2: TURNS.FLIP_LEFT_RIGHT,
    3: TURNS.ROTATE_180,
    4: TURNS.FLIP_TOP_BOTTOM,
    5: TURNS.TRANSPOSE,
    6: TURNS.ROTATE_90,
    7: TURNS.TRANSVERSE,
    8: TURNS.ROTATE_270,
}
ORIENTATION = 0x0112
FINE: dict[str, dict[str, object]] = {"JPEG": {"quality": 98, "subsampling": 0}, **LOSSLESS}


@dataclass(frozen=True, slots=True)
class Oddity:
    """`pixels` is what it shows, RGB, to within `tolerance` grey levels on average."""

    name: str
    data: bytes
    pixels: NDArray[np.uint8]
    tolerance: float = 0


def oddities() -> Iterator[Oddity]:
    yield from turned()
    yield from transparent()
    yield from deep()
    yield from in_other_modes()


def corpus() -> Corpus:
    for each in oddities():
        yield case("legal oddity", each.name, ANSWERED, bytes, each.data)


def upright() -> Image.Image:
    return tissue().crop((0, 0, 96, 80))


def turned() -> Iterator[Oddity]:
    shown = upright()
    for format_, orientation in product(("PNG", "JPEG", "TIFF", "WEBP"), range(1, 9)):
        stored = shown.transpose(STORED[orientation]) if orientation > 1 else shown
        exif = Image.Exif()
        exif[ORIENTATION] = orientation
        data = encode(stored, format_, exif=exif, **FINE.get(format_, {}))
        tolerance = 3 if format_ == "JPEG" else 0
        yield Oddity(f"{format_}, orientation {orientation}", data, np.asarray(shown), tolerance)
    for wrong in (0, 9, 65_535):
        exif = Image.Exif()
        exif[ORIENTATION] = wrong
        data = encode(shown, "PNG", exif=exif)
        yield Oddity(f"PNG, orientation {wrong}", data, np.asarray(shown))


def transparent() -> Iterator[Oddity]:
    shown = upright()
    clear = np.zeros((80, 96), np.uint8)
    clear[:40] = 255
    on_white = np.asarray(shown).copy()
    on_white[40:] = 255
    rgba = shown.copy()
    rgba.putalpha(Image.fromarray(clear))
    for format_ in ("PNG", "TIFF", "WEBP"):
        data = encode(rgba, format_, **LOSSLESS.get(format_, {}))
        yield Oddity(f"{format_}, half of it clear", data, on_white)
    grey = rgba.convert("LA")
    levels = np.asarray(grey.convert("L")).copy()
    levels[40:] = 255
    yield Oddity("PNG, grey and alpha", encode(grey, "PNG"), in_grey(levels))
    few = shown.quantize(16)
    palette = np.asarray(few.convert("RGB")).copy()
    palette[np.asarray(few) == 3] = 255
    yield Oddity("PNG, a clear palette colour", encode(few, "PNG", transparency=3), palette)


def deep() -> Iterator[Oddity]:
    shown = upright()
    levels = np.asarray(shown.convert("L"))
    sixteen = Image.fromarray(levels.astype(np.uint16) * 257)
    for format_ in ("PNG", "TIFF"):
        yield Oddity(f"{format_}, 16 bits of grey", encode(sixteen, format_), in_grey(levels))
    rows = (np.asarray(shown).astype(">u2") * 257).reshape(80, -1)
    packed = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    data = header(96, 80, depth=16) + chunk(b"IDAT", packed) + chunk(b"IEND")
    yield Oddity("PNG, 16 bits a colour", data, np.asarray(shown))


def in_other_modes() -> Iterator[Oddity]:
    shown = upright()
    dots = shown.convert("1")
    yield Oddity("PNG, 1 bit", encode(dots, "PNG"), np.asarray(dots.convert("RGB")))
    few = shown.quantize(200)
    for format_ in ("PNG", "TIFF", "BMP"):
        data = encode(few, format_)
        yield Oddity(f"{format_}, palette", data, np.asarray(few.convert("RGB")))
    ink = shown.convert("CMYK")
    yield Oddity("TIFF, CMYK", encode(ink, "TIFF"), np.asarray(shown), 3)
    yield Oddity("JPEG, CMYK", encode(ink, "JPEG", **FINE["JPEG"]), np.asarray(shown), 4)
    data = encode(shown, "JPEG", progressive=True, **FINE["JPEG"])
    yield Oddity("JPEG, progressive", data, np.asarray(shown), 3)


def in_grey(levels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.repeat(levels[..., None], 3, axis=2)
