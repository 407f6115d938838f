"""JPEG: marker segments of at most 64 KB, and scans between them."""

from __future__ import annotations

import struct
from itertools import cycle, islice

from tests.images.hostile.parts import (
    ANSWERED,
    FILLED_IN,
    SLOW,
    Corpus,
    case,
    encode,
    flat,
    good,
    noise,
)

DAMAGED = "truncated_image"
FRAME = b"\xff\xc0"


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def with_segments(*segments: bytes) -> bytes:
    whole = good("JPEG")
    return whole[:2] + b"".join(segments) + whole[2:]


def resized(width: int, height: int) -> bytes:
    """A good tile whose header claims another size."""
    whole = bytearray(good("JPEG"))
    at = whole.index(FRAME) + 5
    whole[at : at + 4] = struct.pack(">HH", height, width)
    return bytes(whole)


def endless_scans() -> bytes:
    """36 megapixels, and the last scan 100,000 times over: each goes through all of them."""
    whole = encode(flat(6000, 6000), "JPEG", progressive=True)
    at = whole.rindex(b"\xff\xda")
    scan = whole[at : whole.rindex(b"\xff\xd9")]
    return whole[:at] + scan * min(100_000, 18_000_000 // len(scan)) + b"\xff\xd9"


def many_comments() -> bytes:
    return with_segments(segment(0xFE, b"") * 500_000)


def deferred_height() -> bytes:
    """Height 0 in the frame, and a DNL segment behind the scan."""
    whole = resized(96, 0)
    return whole[:-2] + segment(0xDC, struct.pack(">H", 96)) + whole[-2:]


def sampled(*factors: int) -> bytes:
    """A good tile whose frame claims these sampling factors for its three components."""
    whole = bytearray(good("JPEG"))
    at = whole.index(FRAME) + 10
    for place, factor in enumerate(factors):
        whole[at + 3 * place + 1] = factor
    return bytes(whole)


def marked(marker: int) -> bytes:
    """A good tile whose frame claims another process."""
    return good("JPEG").replace(FRAME, bytes([0xFF, marker]), 1)


def altered(offset: int, value: int) -> bytes:
    """A good tile with another byte in its frame header."""
    whole = bytearray(good("JPEG"))
    whole[whole.index(FRAME) + offset] = value
    return bytes(whole)


def profile(pieces: int, claimed: int) -> bytes:
    """ICC in several segments, each as large as may be."""
    head = b"ICC_PROFILE\0"
    body = bytes(65_000)
    return with_segments(
        *[segment(0xE2, head + bytes([each, claimed]) + body) for each in range(1, pieces + 1)]
    )


def corpus() -> Corpus:
    claims = "claims a huge size"
    yield case(claims, "JPEG, 65535 × 65535", "too_many_pixels", resized, 65_535, 65_535)
    yield case(FILLED_IN, "JPEG, 6000 × 6000 of 96 × 96", ANSWERED, resized, 6000, 6000)
    arithmetic = marked(0xC9)
    yield case(FILLED_IN, "JPEG, arithmetic coding, so it says", ANSWERED, bytes, arithmetic)
    bare = good("JPEG").replace(b"\xff\xc4", b"\xff\xfe")
    yield case(FILLED_IN, "JPEG, no Huffman tables", ANSWERED, bytes, bare)
    yield case("never ends", "JPEG, thousands of scans", "image_too_costly", endless_scans)
    yield case("many parts", "JPEG, half a million comments", SLOW, many_comments)
    for name, data in unread().items():
        yield case("unread pixels", f"JPEG, {name}", "unsupported_format", bytes, data)
    for name, data in broken().items():
        yield case("broken structure", f"JPEG, {name}", DAMAGED, bytes, data)
    for name, data in metadata().items():
        yield case("huge metadata", f"JPEG, {name}", ANSWERED, bytes, data)


def unread() -> dict[str, bytes]:
    """Sound, for all that their headers say."""
    return {
        "height in a DNL segment": deferred_height(),
        "lossless, so it says": marked(0xC3),
        "JPEG-LS, so it says": marked(0xF7),
        "12 bits": altered(4, 12),
        "2 components": altered(9, 2),
    }


def broken() -> dict[str, bytes]:
    whole = good("JPEG")
    return {
        "sampling 4 × 4, 4 × 4, 4 × 4": sampled(0x44, 0x44, 0x44),
        "sampling 0": sampled(0, 0, 0),
        "no components": altered(9, 0),
        "200 components": altered(9, 200),
        "nothing but its ends": b"\xff\xd8\xff\xd9",
        "a segment past the end": whole[:2] + b"\xff\xe1\xff\xff" + b"x" * 50,
    }


def metadata() -> dict[str, bytes]:
    sizes = list(islice(cycle([65_000]), 250))
    return {
        "16 MB of comments": with_segments(*[segment(0xFE, noise(size)) for size in sizes]),
        "16 MB of EXIF": with_segments(
            *[segment(0xE1, b"Exif\0\0" + bytes(size)) for size in sizes]
        ),
        "16 MB of ICC": profile(250, 250),
        "a piece of ICC too few": profile(3, 4),
        "a Photoshop block that ends early": with_segments(
            segment(0xED, b"Photoshop 3.0\x008BIM\x03\xed\0\0\0\0\xff\xff")
        ),
        "a broken multi-picture index": with_segments(
            segment(0xE2, b"MPF\0II*\0\x08\0\0\0\xff\xff" + noise(300))
        ),
    }
