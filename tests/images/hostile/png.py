"""PNG: chunks with a length, a kind and a checksum, of which some are deflated."""

from __future__ import annotations

import struct
import zlib

from tests.images.hostile.parts import (
    ANSWERED,
    MEGABYTE,
    SLOW,
    Corpus,
    case,
    chunk,
    deflated_zeros,
    encode,
    flat,
    good,
    tissue,
)

SIGNATURE = b"\x89PNG\r\n\x1a\n"
DAMAGED = "truncated_image"


def header(width: int, height: int, depth: int = 8, colour: int = 2) -> bytes:
    body = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    return SIGNATURE + chunk(b"IHDR", body)


def with_chunks(*chunks: bytes) -> bytes:
    """A good tile, and these behind its header."""
    whole = good("PNG")
    end = whole.index(b"IDAT") - 4
    return whole[:end] + b"".join(chunks) + whole[end:]


def claiming(width: int, height: int) -> bytes:
    return header(width, height) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND")


def bomb_behind_the_picture() -> bytes:
    return header(64, 64) + chunk(b"IDAT", deflated_zeros(100)) + chunk(b"IEND")


def bomb_in(kind: bytes, head: bytes) -> bytes:
    return with_chunks(chunk(kind, head + deflated_zeros(100)))


def many_texts() -> bytes:
    text = zlib.compress(bytes(MEGABYTE - 1), 9)
    return with_chunks(*[chunk(b"zTXt", b"k%d\0\0" % each + text) for each in range(70)])


def animated(frames: int | None = None) -> bytes:
    first, second = tissue(), tissue(seed=8)
    whole = encode(first, "PNG", save_all=True, append_images=[second])
    if frames is None:
        return whole
    at = whole.index(b"acTL")
    spoilt = chunk(b"acTL", struct.pack(">II", frames, 0))
    return whole[: at - 4] + spoilt + whole[at + 16 :]


def forty_megapixels() -> bytes:
    """Legal, and as large as may be: what decoding costs most."""
    return encode(flat(8000, 5000, "LA"), "PNG", compress_level=1)


def corpus() -> Corpus:
    for size in [(60_000, 60_000), (2**31 - 1, 2**31 - 1), (1, 2**31 - 1)]:
        name = f"PNG, {size[0]} × {size[1]}"
        yield case("claims a huge size", name, "too_many_pixels", claiming, *size)
    yield case("bomb", "PNG, 100 MB behind its pixels", ANSWERED, bomb_behind_the_picture)
    for kind, head in [(b"zTXt", b"k\0\0"), (b"iTXt", b"k\0\1\0\0\0")]:
        yield case("bomb", f"PNG, 100 MB in {kind.decode()}", DAMAGED, bomb_in, kind, head)
    yield case("bomb", "PNG, 100 MB in iCCP", DAMAGED, bomb_in, b"iCCP", b"k\0\0")
    yield case("bomb", "PNG, 70 MB in 70 texts", DAMAGED, many_texts)
    yield case("large and legal", "PNG, 8000 × 5000, grey and alpha", ANSWERED, forty_megapixels)
    yield case("many parts", "PNG, 200,000 chunks", SLOW, with_chunks, chunk(b"prIv") * 200_000)
    yield case("animated", "APNG, four thousand million frames", ANSWERED, animated, 2**32 - 1)
    for name, data in broken().items():
        yield case("broken structure", f"PNG, {name}", DAMAGED, bytes, data)


def broken() -> dict[str, bytes]:
    pixels = chunk(b"IDAT", zlib.compress(bytes(64 * 64 * 3 + 64)))
    return {
        "no pixels": header(64, 64) + chunk(b"IEND"),
        "0 × 0": header(0, 0) + pixels,
        "a chunk of 2 GB": header(64, 64) + chunk(b"IDAT", b"x", length=2**31 - 1),
        "a chunk of 4 GB": header(64, 64) + chunk(b"IDAT", b"x", length=2**32 - 1),
        "an unknown colour type": header(64, 64, colour=5) + pixels,
        "depth 3": header(64, 64, depth=3) + pixels,
        "a header of 3 bytes": SIGNATURE + chunk(b"IHDR", b"abc") + pixels,
        "pixels that are no zlib": header(64, 64) + chunk(b"IDAT", b"\xff" * 500),
        "two headers": with_chunks(header(9, 9)[8:]),
        "a wrong checksum": good("PNG").replace(b"IHDR", b"IHDr", 1),
    }
