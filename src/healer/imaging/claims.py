"""The size that a compressed picture claims, read before a decoder takes memory for it."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from contextlib import suppress

from healer.imaging.codestreams import jpeg2000_header

Size = tuple[int, int]  # (width, height) in pixels

_XR_OFFSET = 0xBCC0
_XL_CONTAINER = b"\0\0\0\x0cJXL "
_XL_BITS = (9, 13, 18, 30)
_XL_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))
_HEAD = 4096  # what stands before a codestream in its container is fewer bytes


def webp_canvas(data: bytes) -> Size | None:
    """None where `data` is no WebP with a header (RFC 9649)."""
    if len(data) < 30 or data[:4] != b"RIFF" or data[8:12] != b"WEBP":
        return None
    match data[12:16]:
        case b"VP8X":
            return _little(data[24:27]) + 1, _little(data[27:30]) + 1
        case b"VP8 ":
            return _little(data[26:28]) & 0x3FFF, _little(data[28:30]) & 0x3FFF
        case b"VP8L":
            bits = _little(data[21:25])
            return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return None


def jpeg2000_size(data: bytes) -> Size | None:
    header = jpeg2000_header(data)
    return (header.width, header.height) if header else None


def png_size(data: bytes) -> Size | None:
    if data[:8] != b"\x89PNG\r\n\x1a\n" or len(data) < 24:
        return None
    width, height = struct.unpack_from(">II", data, 16)
    return width, height


def jpeg_xr_size(data: bytes) -> Size | None:
    """From the codestream's own header: what its container's tags say, the decoder leaves out."""
    with suppress(struct.error):
        start = struct.unpack_from("<I", data, 4)[0]
        for entry in range(min(256, struct.unpack_from("<H", data, start)[0])):
            tag, _, _, offset = struct.unpack_from("<HHII", data, start + 2 + 12 * entry)
            if tag == _XR_OFFSET and data[offset : offset + 8] == b"WMPHOTO\0":
                is_short = data[offset + 10 : offset + 11] >= b"\x80"
                width, height = struct.unpack_from(">HH" if is_short else ">II", data, offset + 12)
                return width + 1, height + 1
    return None


def lerc_size(data: bytes) -> Size | None:
    """None too for LERC within another compression."""
    if data[:6] != b"Lerc2 " or len(data) < 22:
        return None
    has_checksum = _little(data[6:10]) >= 3
    height, width = struct.unpack_from("<ii", data, 14 if has_checksum else 10)
    return width, height


def jpeg_xl_size(data: bytes) -> Size | None:
    """The size header, which is not laid out in bytes (ISO/IEC 18181-1)."""
    start = 0
    if data.startswith(_XL_CONTAINER):
        start = data.find(b"\xff\x0a", len(_XL_CONTAINER), _HEAD)
    if data[start : start + 2] != b"\xff\x0a" or start < 0:
        return None
    bits = _Bits(_little(data[start + 2 : start + 14]))
    in_eights = bits.take(1)
    height = _xl_side(bits, in_eights)
    ratio = bits.take(3)
    if not ratio:
        return _xl_side(bits, in_eights), height
    over, under = _XL_RATIOS[ratio - 1]
    return height * over // under, height


def _xl_side(bits: _Bits, in_eights: int) -> int:
    if in_eights:
        return 8 * (bits.take(5) + 1)
    return bits.take(_XL_BITS[bits.take(2)]) + 1


class _Bits:
    """A number, taken from its low end."""

    def __init__(self, number: int) -> None:
        self._number = number

    def take(self, count: int) -> int:
        taken = self._number & ((1 << count) - 1)
        self._number >>= count
        return taken


def _little(number: bytes) -> int:
    return int.from_bytes(number, "little")


# By TIFF's numbers for compressions.
CLAIMS: Mapping[int, Callable[[bytes], Size | None]] = {
    **dict.fromkeys((33003, 33004, 33005, 34712), jpeg2000_size),
    **dict.fromkeys((34927, 50001), webp_canvas),
    **dict.fromkeys((22610, 34934), jpeg_xr_size),
    **dict.fromkeys((50002, 52546), jpeg_xl_size),
    34887: lerc_size,
    34933: png_size,
}
