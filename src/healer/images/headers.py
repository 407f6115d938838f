"""What a picture says of itself in its header, read before any decoder runs."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from PIL import Image

_STANDALONE = {0x01, *range(0xD0, 0xD9)}  # TEM, RST0 to RST7, SOI: markers without a length
_NO_FRAME = {0xC4, 0xC8, 0xCC}  # among the frame markers, and none of them: DHT, JPG, DAC
_START_OF_SCAN, _END = 0xDA, 0xD9
JPEG_LS = 0xF7
_PROCESSES = {
    0xC3: "lossless JPEG",
    0xC5: "hierarchical JPEG",
    0xC6: "hierarchical JPEG",
    0xC7: "hierarchical JPEG",
    0xCB: "lossless JPEG with arithmetic coding",
    0xCD: "hierarchical JPEG",
    0xCE: "hierarchical JPEG",
    0xCF: "hierarchical JPEG",
    JPEG_LS: "JPEG-LS",
}
_CODESTREAM = b"\xff\x4f\xff\x51"  # SOC, then SIZ: where each JPEG 2000 codestream begins
_WITHIN = 4096  # a JP2's boxes before its codestream are far fewer bytes
_COD = 0xFF52
_START_OF_TILE = 0xFF90


@dataclass(frozen=True, slots=True)
class JpegFrame:
    """The start-of-frame segment; `process` is its marker's second byte."""

    process: int
    precision: int
    height: int
    width: int
    components: int

    def unusual(self) -> str | None:
        """The coding's name, where it is none that ordinary JPEG readers read."""
        if self.process in _PROCESSES:
            return f"a {self.precision}-bit {_PROCESSES[self.process]}"
        if self.precision != 8:
            return f"a {self.precision}-bit JPEG"
        if self.components == 2:
            return "a JPEG with 2 components"
        if self.height == 0:
            return "a JPEG that gives its height only behind its first scan (DNL)"
        return None


@dataclass(frozen=True, slots=True)
class Jpeg2000Header:
    """`colour_transform` says that a decoder gives RGB; `even` that no component is subsampled."""

    height: int
    width: int
    components: int
    colour_transform: bool
    even: bool


def jpeg_frame(data: bytes | memoryview) -> JpegFrame | None:
    """None where no frame is found before the first scan."""
    for marker, body in _jpeg_segments(data):
        if (0xC0 <= marker <= 0xCF and marker not in _NO_FRAME) or marker == JPEG_LS:
            if len(body) < 6:
                return None
            height, width = _big(body[1:3]), _big(body[3:5])
            return JpegFrame(marker, body[0], height, width, body[5])
    return None


def _jpeg_segments(data: bytes | memoryview) -> Iterator[tuple[int, bytes]]:
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # fill
            at += 1
            continue
        if marker in _STANDALONE:
            at += 2
            continue
        if marker in (_START_OF_SCAN, _END):
            return
        length = _big(data[at + 2 : at + 4])
        yield marker, bytes(data[at + 4 : at + min(2 + length, 12)])
        at += 2 + max(2, length)


def jpeg2000_header(data: bytes | memoryview) -> Jpeg2000Header | None:
    """Of a codestream, or of a JP2 file around one; None where there is none."""
    start = bytes(data[:_WITHIN]).find(_CODESTREAM)
    size = bytes(data[start + 4 : start + 42])
    if start < 0 or len(size) < 38:
        return None
    right, bottom, left, top = (_big(size[at : at + 4]) for at in (4, 8, 12, 16))
    components = _big(size[36:38])
    steps = bytes(data[start + 42 : start + 42 + 3 * components])
    return Jpeg2000Header(
        height=bottom - top,
        width=right - left,
        components=components,
        colour_transform=_transforms(data, start + 4 + _big(size[:2])),
        even=all(step == 1 for at in range(0, len(steps), 3) for step in steps[at + 1 : at + 3]),
    )


def _transforms(data: bytes | memoryview, at: int) -> bool:
    while at + 9 <= len(data):
        marker = _big(data[at : at + 2])
        if marker == _COD:
            return data[at + 8] == 1
        if marker >= _START_OF_TILE or marker < 0xFF00:
            return False
        at += 2 + max(2, _big(data[at + 2 : at + 4]))
    return False


def _big(number: bytes | memoryview) -> int:
    return int.from_bytes(number, "big")


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


_PREFIXES = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
    b"II+\x00": "TIFF",
    b"MM\x00+": "TIFF",
    b"BM": "BMP",
    b"GIF8": "GIF",
    b"%PDF": "PDF",
    b"8BPS": "Photoshop (PSD)",
    b"\x00\x00\x00\x0cjP  ": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"\xff\x0a": "JPEG XL",
    b"<svg": "SVG",
    b"PK\x03\x04": "a ZIP archive",
}
_BRANDS = {b"heic": "HEIC", b"heix": "HEIC", b"mif1": "HEIF", b"avif": "AVIF"}


def format_name(data: bytes) -> str | None:
    """The format's name, or None where the first bytes are no known signature."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WEBP"
    if data[4:8] == b"ftyp":
        return _BRANDS.get(data[8:12])
    if data[128:132] == b"DICM":
        return "DICOM"
    return next((name for prefix, name in _PREFIXES.items() if data.startswith(prefix)), None)
