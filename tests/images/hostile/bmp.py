"""BMP: a header of one of several sizes, a palette, and runs."""

from __future__ import annotations

import struct

from tests.images.hostile.parts import ANSWERED, FILLED_IN, Corpus, case, noise

DAMAGED = "truncated_image"
RLE8, RLE4, MASKS = 1, 2, 3


def bitmap(
    width: int, height: int, bits: int, compression: int, pixels: bytes, colours: int = 256
) -> bytes:
    palette = bytes(4 * min(colours, 256)) if bits <= 8 else b""
    offset = 54 + len(palette)
    head = struct.pack("<2sIHHI", b"BM", offset + len(pixels), 0, 0, offset)
    about = struct.pack(
        "<IiiHHIIiiII", 40, width, height, 1, bits, compression, len(pixels), 0, 0, colours, 0
    )
    return head + about + palette + pixels


def corpus() -> Corpus:
    for size in [(2**31 - 1, 2**31 - 1), (65_535, -65_535)]:
        data = bitmap(*size, 24, 0, bytes(300))
        name = f"BMP, {size[0]} × {size[1]}"
        yield case("claims a huge size", name, "too_many_pixels", bytes, data)
    odd = bitmap(-64, 64, 24, 0, bytes(64 * 64 * 3))
    yield case("claims a huge size", "BMP, -64 × 64", "too_many_pixels", bytes, odd)
    step = bitmap(64, 64, 8, RLE8, b"\0\2\xff\xff\x05\x01")
    yield case(FILLED_IN, "BMP, a step outside the picture", ANSWERED, bytes, step)
    masks = bitmap(64, 64, 32, MASKS, bytes(64 * 64 * 4))
    yield case(FILLED_IN, "BMP, masks of 0", ANSWERED, bytes, masks)
    legal = bitmap(64, 64, 8, RLE8, bytes([64, 7, 0, 0]) * 64 + b"\0\1")
    yield case("legal oddity", "BMP, RLE8", ANSWERED, bytes, legal)
    for name, data in broken().items():
        yield case("broken structure", f"BMP, {name}", DAMAGED, bytes, data)


def broken() -> dict[str, bytes]:
    return {
        "runs past the end of a row": bitmap(64, 64, 8, RLE8, b"\xff\x01" * 2000 + b"\0\1"),
        "runs that stop early": bitmap(64, 64, 8, RLE8, b"\x05\x01" * 3),
        "a row of 255 bytes that is not there": bitmap(64, 64, 8, RLE8, b"\0\xff"),
        "4-bit runs that are noise": bitmap(64, 64, 4, RLE4, noise(40), 16),
        "7 bits": bitmap(64, 64, 7, 0, bytes(64 * 64)),
        "an unknown compression": bitmap(64, 64, 24, 9, bytes(64 * 64 * 3)),
        "a palette of 2³¹ colours": bitmap(64, 64, 8, 0, bytes(64), 2**31),
        "0 × 0": bitmap(0, 0, 24, 0, b""),
        "a header of 12 thousand bytes": b"BM" + bytes(12) + struct.pack("<I", 12_000) + bytes(90),
        "half its pixels": bitmap(64, 64, 24, 0, bytes(64 * 64)),
    }
