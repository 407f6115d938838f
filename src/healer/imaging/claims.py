"""The size a WebP claims: Pillow's decoder takes memory for it before it can be asked."""

from __future__ import annotations


def webp_canvas(data: bytes) -> tuple[int, int] | None:
    """(width, height) in pixels, or None where `data` is no WebP with a header (RFC 9649)."""
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


def _little(number: bytes) -> int:
    return int.from_bytes(number, "little")
