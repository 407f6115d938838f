"""PNG's transparent colour (tRNS), where Pillow compares it with samples of another depth."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from PIL import Image

_GREY, _RGB = 0, 2
_HEADER_END = 33  # the signature and IHDR


def unread_png(data: bytes) -> str | None:
    """One 16-bit colour that is clear: Pillow has only the samples' upper halves to find it by."""
    depth, colour = _kind(data)
    if depth == 16 and colour in (_GREY, _RGB) and b"tRNS" in _kinds_before_pixels(data):
        return "a PNG of 16-bit samples with a transparent colour (tRNS)"
    return None


def scaled_transparency(image: Image.Image, data: bytes) -> None:
    """Pillow scales grey samples of 2 and 4 bits to 8, and leaves the clear one as it was."""
    depth, colour = _kind(data)
    clear = image.info.get("transparency")
    if colour == _GREY and depth in (2, 4) and isinstance(clear, int):
        image.info["transparency"] = clear * 255 // (2**depth - 1)


def _kind(data: bytes) -> tuple[int, int]:
    """Bits a sample, and the colour type."""
    return (data[24], data[25]) if len(data) >= _HEADER_END else (0, 0)


def _kinds_before_pixels(data: bytes) -> Iterator[bytes]:
    at = 8
    while at + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, at)
        if kind == b"IDAT":
            return
        yield kind
        at += 12 + length
