"""BMP headers: what of the format's many kinds Pillow does not read, by name."""

from __future__ import annotations

import struct

_BITS = {1, 4, 8, 16, 24, 32}
_RARE_BITS = {2, 64}
_BIT_FIELDS = 3
_COMPRESSIONS = {
    4: "JPEG compression", 5: "PNG compression", 6: "alpha bit-fields (compression 6)",
    11: "CMYK colours", 12: "CMYK colours", 13: "CMYK colours",
}  # fmt: skip
_OS2_COMPRESSIONS = {3: "Huffman compression (OS/2)", 4: "24-bit run lengths (OS/2)"}
_OS2 = (16, 64)
_BLUE_FIRST, _RED_FIRST = (0xFF0000, 0xFF00, 0xFF), (0xFF, 0xFF00, 0xFF0000)
_MASKS: dict[int, set[tuple[int, ...]]] = {  # Pillow's own list: red, green, blue, alpha
    16: {(0xF800, 0x07E0, 0x001F), (0x7C00, 0x03E0, 0x001F)},
    24: {_BLUE_FIRST},
    32: {
        (*_BLUE_FIRST, 0), (*_BLUE_FIRST, 0xFF000000), (*_RED_FIRST, 0xFF000000),
        (0xFF000000, 0xFF0000, 0xFF00, 0), (0xFF000000, 0xFF0000, 0xFF00, 0xFF),
        (0xFF000000, 0xFF00, 0xFF, 0), (0xFF000000, 0xFF00, 0xFF, 0xFF0000), (0, 0, 0, 0),
    },
}  # fmt: skip
_WITH_ALPHA_MASK = 56  # bytes of header


def unread_bitmap(data: bytes) -> str | None:
    """None too where the header is damaged: Pillow says that."""
    if len(data) < 34:
        return None
    header, _, _, _, bits, compression = struct.unpack_from("<IiiHHI", data, 14)
    if header < 40:
        return None
    named = _OS2_COMPRESSIONS if header in _OS2 else _COMPRESSIONS
    if compression in named:
        return f"a BMP with {named[compression]}"
    if bits in _RARE_BITS:
        return f"a BMP of {bits} bits a pixel"
    if compression == _BIT_FIELDS and bits in _MASKS and len(data) >= 70:
        return _unread_masks(data, header, bits)
    return None


def _unread_masks(data: bytes, header: int, bits: int) -> str | None:
    red, green, blue, alpha = struct.unpack_from("<IIII", data, 54)
    masks: tuple[int, ...] = (red, green, blue)
    if bits == 32:
        masks += (alpha if header >= _WITH_ALPHA_MASK else 0,)
    if masks in _MASKS[bits]:
        return None
    return "a BMP with bit-fields " + ", ".join(f"{mask:#x}" for mask in masks)
