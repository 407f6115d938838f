"""Sound files that are refused, each with the words that its refusal must say."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

import imagecodecs
import numpy as np
from PIL import Image

from tests.images.codings import grey, shown, sixteen, without_tag, written
from tests.images.hostile.bmp import bitmap
from tests.images.hostile.jpeg import deferred_height
from tests.images.hostile.parts import chunk, encode, tissue
from tests.images.hostile.png import SIGNATURE


@dataclass(frozen=True, slots=True)
class Refused:
    name: str
    data: bytes
    words: tuple[str, ...]


def refused() -> Iterator[Refused]:
    yield from of_samples()
    yield from of_colours()
    yield from of_compressions()
    yield from not_tiff()


def of_samples() -> Iterator[Refused]:
    for kind in (np.float16, np.float32, np.float64):
        bits = f"{np.dtype(kind).itemsize * 8}-bit"
        data = written((shown() / 255).astype(kind))
        yield Refused(f"{bits} float RGB", data, ("floating-point", bits, "RGB", "no compression"))
    for signed in (np.int8, np.int16, np.int32):
        data = written(grey().astype(signed), photometric="minisblack", compression="lzw")
        yield Refused(f"grey of {np.dtype(signed)}", data, ("signed", "LZW", "black is zero"))
    data = written(grey().astype(np.uint32), photometric="minisblack")
    yield Refused("grey of uint32", data, ("32-bit", "range is not defined"))
    data = written(shown().transpose(2, 0, 1).astype(np.uint32).copy(), planarconfig="separate")
    yield Refused("planar RGB of uint32", data, ("32-bit", "planar", "RGB"))


def of_colours() -> Iterator[Refused]:
    data = encode(Image.new("LAB", (64, 64)), "TIFF")
    yield Refused("CIELAB", data, ("CIELAB",))
    data = written(shown(), photometric="minisblack", planarconfig="contig")
    yield Refused("three channels that are no RGB", data, ("3 channels", "black is zero"))
    data = without_tag(written(shown()), 262)
    yield Refused("no photometric interpretation", data, ("no photometric interpretation",))
    data = written(shown(), photometric="cielab")
    yield Refused("CIELAB by tifffile", data, ("CIELAB",))


def of_compressions() -> Iterator[Refused]:
    plain = written(shown())
    compression = struct.pack("<HHI", 259, 3, 1)
    for code, name in ((6, "old-style JPEG"), (34661, "JBIG"), (34676, "SGI LogLuv"),
                       (54_321, "compression 54321")):  # fmt: skip
        data = plain.replace(
            compression + struct.pack("<I", 1), compression + struct.pack("<I", code)
        )
        assert data != plain
        yield Refused(f"compression {code}", data, (name, "RGB", "8-bit"))


def not_tiff() -> Iterator[Refused]:
    twelve = imagecodecs.jpeg8_encode(sixteen(shown()) // np.uint16(16), bitspersample=12)
    yield Refused("12-bit JPEG", bytes(twelve), ("12-bit JPEG",))
    yield Refused(
        "lossless JPEG", bytes(imagecodecs.jpeg8_encode(shown(), lossless=True)), ("lossless JPEG",)
    )
    yield Refused("JPEG-LS", bytes(imagecodecs.jpegls_encode(shown())), ("JPEG-LS",))
    yield Refused("a JPEG with its height behind", deferred_height(), ("DNL",))
    yield Refused("JPEG 2000", bytes(imagecodecs.jpeg2k_encode(shown())), ("JPEG 2000",))
    yield Refused("JPEG XL", bytes(imagecodecs.jpegxl_encode(shown())), ("JPEG XL",))
    for code, name in ((4, "JPEG"), (5, "PNG"), (6, "alpha bit-fields"), (11, "CMYK")):
        data = bitmap(64, 64, 24, code, bytes(64 * 64 * 3))
        yield Refused(f"BMP compression {code}", data, ("BMP", name))
    odd = bitmap(
        64, 64, 32, 3, struct.pack("<IIII", 0xFF, 0xFF0000, 0xFF00, 0) + bytes(64 * 64 * 4)
    )
    yield Refused("BMP with odd masks", odd, ("bit-fields", "0xff0000"))
    clear = encode(Image.fromarray(sixteen(grey())), "PNG")
    at = clear.index(b"IDAT") - 4
    data = clear[:at] + chunk(b"tRNS", b"\0\0") + clear[at:]
    assert data.startswith(SIGNATURE)
    yield Refused("a 16-bit PNG with a clear colour", data, ("16-bit", "tRNS"))
    frames: dict[str, object] = {"save_all": True, "append_images": [tissue(seed=8)]}
    for format_ in ("PNG", "WEBP", "TIFF"):
        data = encode(tissue(), format_, **frames)
        yield Refused(
            f"{format_} of two frames",
            data,
            ("of 2 ", "of full size", "form field page", "--page N"),
        )
