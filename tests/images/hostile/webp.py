"""WebP: chunks in a RIFF container, with an even length."""

from __future__ import annotations

import struct

from tests.images.hostile.parts import ANSWERED, Corpus, case, encode, good, noise, tissue

DAMAGED = "truncated_image"


def riff(*chunks: bytes, size: int | None = None) -> bytes:
    body = b"WEBP" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body) if size is None else size) + body


def part(kind: bytes, body: bytes, size: int | None = None) -> bytes:
    length = len(body) if size is None else size
    return kind + struct.pack("<I", length) + body + bytes(len(body) % 2)


def canvas(width: int, height: int, flags: int = 0) -> bytes:
    sides = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return part(b"VP8X", bytes([flags, 0, 0, 0]) + sides)


def lossless(width: int, height: int) -> bytes:
    bits = (width - 1) | (height - 1) << 14
    return part(b"VP8L", b"\x2f" + struct.pack("<I", bits) + noise(200))


def stream() -> bytes:
    """The one chunk of a good tile."""
    return good("WEBP")[12:]


def animated() -> bytes:
    return encode(
        tissue(), "WEBP", lossless=True, save_all=True, append_images=[tissue(seed=8)], duration=40
    )


def corpus() -> Corpus:
    huge = {
        "16384 × 16384": riff(lossless(16_384, 16_384)),
        "2²⁴ × 2²⁴ of canvas": riff(canvas(2**24, 2**24), stream()),
        "16384 × 16384 of canvas": riff(
            canvas(16_384, 16_384, 2), part(b"ANIM", bytes(6)), stream()
        ),
    }
    for name, data in huge.items():
        yield case("claims a huge size", f"WebP, {name}", "too_many_pixels", bytes, data)
    yield case("animated", "WebP, two frames", "unsupported_format", animated)
    for name, data in broken().items():
        yield case("broken structure", f"WebP, {name}", DAMAGED, bytes, data)
    tile = riff(
        canvas(96, 96, 0x2C),
        stream(),
        part(b"EXIF", noise(3_000_000)),
        part(b"XMP ", noise(3_000_000)),
    )
    yield case("huge metadata", "WebP, 6 MB of EXIF and XMP that are noise", ANSWERED, bytes, tile)


def broken() -> dict[str, bytes]:
    return {
        "a canvas without a picture": riff(canvas(96, 96)),
        "another canvas than its picture": riff(canvas(64, 64), stream()),
        "a chunk of 4 GB": riff(part(b"VP8L", stream()[8:], 2**32 - 2)),
        "a file of 4 GB, so it says": riff(stream()[:400], size=2**32 - 2),
        "a file of 4 bytes, so it says": riff(stream(), size=4),
        "an animation without frames": riff(canvas(96, 96, 2), part(b"ANIM", bytes(6))),
        "a frame outside its canvas": riff(
            canvas(96, 96, 2), part(b"ANIM", bytes(6)), part(b"ANMF", b"\xff" * 16 + stream())
        ),
        "alpha that is noise": riff(
            canvas(96, 96, 0x10), part(b"ALPH", noise(500)), encode(tissue(), "WEBP")[12:]
        ),
        "an unknown chunk alone": riff(part(b"WHAT", noise(100))),
        "pixels that are noise": riff(lossless(96, 96)),
    }
