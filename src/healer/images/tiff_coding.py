"""How a TIFF page codes its pixels, whether Healer reads that, and how samples become RGB."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from healer.errors.request import UnsupportedFormat

if TYPE_CHECKING:
    from tifffile import TiffPage

ADVICE = "Export it as 8-bit RGB: as PNG, or as TIFF with no, LZW, Deflate or JPEG compression."
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR = 0, 1, 2, 3, 5, 6
COLOURS = {WHITE_IS_ZERO: 1, BLACK_IS_ZERO: 1, RGB: 3, PALETTE: 1, CMYK: 4, YCBCR: 3}
PLAIN = {1}
PACKED = {5, 8, 32946, 32773, 34925, 34926, 50000}
FAX = {2, 3, 4}
JPEG = {7}
APERIO_YCBCR = 33003
JPEG_2000 = {33003, 33004, 33005, 34712}
WEBP = {34927, 50001}
LERC = 34887
# Each segment is a whole picture of another format.
EMBEDDED = {*JPEG_2000, *WEBP, LERC, 34933, 34934, 22610, 50002, 52546}
COMPRESSIONS = {
    1: "no compression", 2: "CCITT RLE", 3: "CCITT Group 3", 4: "CCITT Group 4", 5: "LZW",
    6: "old-style JPEG", 7: "JPEG", 8: "Deflate", 9: "JBIG", 10: "JBIG", 22610: "JPEG XR",
    32766: "NeXT", 32771: "CCITT RLE/W", 32773: "PackBits", 32809: "ThunderScan",
    32909: "PixarLog", 32946: "Deflate", 33003: "JPEG 2000 (33003, Aperio YCbCr)",
    33004: "JPEG 2000 (33004)", 33005: "JPEG 2000 (33005, Aperio RGB)", 33007: "JPEG (33007)",
    34661: "JBIG", 34676: "SGI LogLuv", 34677: "SGI LogLuv24", 34712: "JPEG 2000 (34712)",
    34715: "JBIG2", 34887: "LERC", 34892: "lossy DNG JPEG", 34925: "LZMA", 34926: "Zstandard",
    34927: "WebP", 34933: "PNG", 34934: "JPEG XR", 50000: "Zstandard", 50001: "WebP",
    50002: "JPEG XL", 52546: "JPEG XL",
}  # fmt: skip
_PHOTOMETRICS = {
    WHITE_IS_ZERO: "white is zero", BLACK_IS_ZERO: "black is zero", RGB: "RGB",
    PALETTE: "a palette", 4: "a transparency mask", CMYK: "CMYK", YCBCR: "YCbCr", 8: "CIELAB",
    9: "ICCLAB", 10: "ITULAB", 32803: "a colour filter array", 32844: "LogL", 32845: "LogLuv",
    34892: "linear raw",
}  # fmt: skip
_FORMATS = {
    1: "unsigned", 2: "signed", 3: "floating-point", 4: "undefined", 5: "complex",
    6: "complex floating-point",
}  # fmt: skip
_BYTES = (8, 16)
_UNPREDICTED = {1, 32773}  # where libtiff leaves a predictor out and tifffile does not
_SUBSAMPLINGS = {1, 2, 4}
_CMYK_INKS = 1
MOST_FURTHER_SAMPLES = 4
WHITE = 255
BAND_PIXELS = 2**20
PREMULTIPLIED, STRAIGHT = 1, 2  # values of ExtraSamples

Bytes = bytes | memoryview
Eight = NDArray[np.uint8]


def refusal(page: TiffPage, why: str) -> UnsupportedFormat:
    return UnsupportedFormat(
        f"a TIFF with {why}, which Healer does not read ({coding(page)})", ADVICE
    )


def coding(page: TiffPage) -> str:
    """Compression, bits, sample format, planar configuration and photometric, in words."""
    compression = int(page.compression)
    photometric = int(page.photometric)
    sampling = "×".join(map(str, page.subsampling or ()))
    parts = [
        _PHOTOMETRICS.get(photometric, f"photometric interpretation {photometric}")
        + (f" {sampling}" if photometric == YCBCR and sampling else ""),
        f"{page.samplesperpixel} × {page.bitspersample}-bit {_format(page)}",
        "planar" if int(page.planarconfig) == 2 else "interleaved",
        COMPRESSIONS.get(compression, f"compression {compression}"),
    ]
    return ", ".join(parts)


def _format(page: TiffPage) -> str:
    kind = page.sampleformat
    return _FORMATS.get(kind, f"sample format {kind}") if isinstance(kind, int) else "mixed"


def check_coding(page: TiffPage) -> None:
    """Raises UnsupportedFormat where Healer does not read it, or its meaning is not defined."""
    if (why := next(_objections(page), None)) is not None:
        raise refusal(page, why)


def _objections(page: TiffPage) -> Iterator[str]:
    yield from _compression_objections(page)
    yield from _sample_objections(page)
    yield from _colour_objections(page)


def _compression_objections(page: TiffPage) -> Iterator[str]:
    compression = int(page.compression)
    if compression not in PLAIN | PACKED | FAX | JPEG | EMBEDDED:
        yield COMPRESSIONS.get(compression, f"compression {compression}")
    predictor = int(page.predictor) if compression in PLAIN | PACKED else 1
    if predictor not in (1, 2) or (predictor == 2 and compression in _UNPREDICTED):
        yield f"predictor {predictor} with {COMPRESSIONS[compression]}"
    if predictor == 2 and page.bitspersample not in _BYTES:
        yield f"a predictor over {page.bitspersample}-bit samples"
    if compression in FAX and page.bitspersample != 1:
        yield "a fax coding of more than one bit"


def _sample_objections(page: TiffPage) -> Iterator[str]:
    if not isinstance(page.bitspersample, int):
        yield f"samples of different depths ({page.bitspersample})"
    elif page.sampleformat != 1:
        yield f"{_format(page)} samples, whose range is not defined"
    elif page.bitspersample > 16:
        yield f"{page.bitspersample}-bit samples, whose range is not defined"
    if page.imagedepth != 1:
        yield "several planes in depth"
    if int(page.planarconfig) not in (1, 2):
        yield f"planar configuration {int(page.planarconfig)}"


def _colour_objections(page: TiffPage) -> Iterator[str]:
    photometric = int(page.photometric)
    if page.tags.get(262) is None:
        yield "no photometric interpretation"
    if photometric not in COLOURS:
        yield _PHOTOMETRICS.get(photometric, f"photometric interpretation {photometric}")
        return
    yield from _channel_objections(page, COLOURS[photometric])
    if photometric == PALETTE and page.tags.get(320) is None:
        yield "no colour map"
    if photometric == CMYK and page.tags.valueof(332, _CMYK_INKS) != _CMYK_INKS:
        yield "inks that are not cyan, magenta, yellow and black"
    if photometric == YCBCR:
        yield from _ycbcr_objections(page)


def _channel_objections(page: TiffPage, colours: int) -> Iterator[str]:
    photometric, samples = int(page.photometric), page.samplesperpixel
    if samples < colours or (photometric in (PALETTE, YCBCR) and samples != colours):
        yield f"{samples} samples a pixel for {_PHOTOMETRICS[photometric]}"
    if samples > colours + MOST_FURTHER_SAMPLES:
        yield f"{samples:,} samples a pixel"
    if colours == 1 and samples > 1 and not {1, 2} & set(page.extrasamples):
        yield f"{samples} channels that are no RGB"


def _ycbcr_objections(page: TiffPage) -> Iterator[str]:
    compression = int(page.compression)
    if int(page.planarconfig) == 2:
        yield "YCbCr in planes"
    if compression in EMBEDDED - {APERIO_YCBCR} or compression in FAX:
        yield f"YCbCr in {COMPRESSIONS[compression]}"
    if compression in PLAIN | PACKED:
        if page.bitspersample != 8 or int(page.predictor) != 1:
            yield "YCbCr of another depth than 8 bits, or with a predictor"
        if page.tags.get(530) is None or not _SUBSAMPLINGS.issuperset(page.subsampling or ()):
            yield "YCbCr that does not say how it is subsampled"
        if not _is_plain_ycbcr(page):
            yield "YCbCr of other coefficients or another range than ITU-R BT.601's"


def _is_plain_ycbcr(page: TiffPage) -> bool:
    usual_values = {
        529: (0.299, 0.587, 0.114),
        532: (0.0, 255.0, 128.0, 255.0, 128.0, 255.0),
    }
    return all(
        page.tags.get(tag) is None or _near(_ratios(page.tags.valueof(tag)), usual)
        for tag, usual in usual_values.items()
    )


def _near(given: Sequence[float], usual: Sequence[float]) -> bool:
    return len(given) == len(usual) and all(
        abs(one - other) < 0.002 * max(usual) for one, other in zip(given, usual, strict=True)
    )


def _ratios(value: Sequence[int]) -> list[float]:
    return [value[at] / (value[at + 1] or 1) for at in range(0, len(value) - 1, 2)]


def ycbcr_bytes(area: tuple[int, int], across: int, down: int) -> int:
    """What (height, width) pixels take, one Cb and one Cr for `across` × `down` of them."""
    height, width = area
    return ceil(height / down) * ceil(width / across) * (across * down + 2)


def unpack_ycbcr(packed: Bytes, area: tuple[int, int], across: int, down: int) -> Eight:
    """RGB of `area`: each unit is `down` rows of `across` Ys, then Cb and Cr."""
    height, width = area
    units = np.frombuffer(packed, np.uint8).reshape(ceil(height / down), ceil(width / across), -1)
    rows, columns = units.shape[0] * down, units.shape[1] * across
    packed_luma = units[..., :-2].reshape(*units.shape[:2], down, across)
    planes = np.empty((rows, columns, 3), np.uint8)
    planes[..., 0] = packed_luma.transpose(0, 2, 1, 3).reshape(rows, columns)
    planes[..., 1:] = units[..., -2:].repeat(down, axis=0).repeat(across, axis=1)
    return ycbcr_to_rgb(planes[:height, :width])


def ycbcr_to_rgb(planes: NDArray[np.generic]) -> Eight:
    size = (planes.shape[1], planes.shape[0])
    image = Image.frombytes("YCbCr", size, np.ascontiguousarray(planes).tobytes())
    return np.asarray(image.convert("RGB"))


def on_white(colour: Eight, alpha: Eight, *, premultiplied: bool) -> Eight:
    """`colour` is (height, width, channels), `alpha` (height, width)."""
    opacity = alpha.astype(np.uint16)[..., None]
    shown = colour.astype(np.uint16)
    if premultiplied:
        laid = shown + (WHITE - opacity)
    else:
        laid = (shown * opacity + WHITE * (WHITE - opacity) + WHITE // 2) // WHITE
    return laid.clip(0, WHITE).astype(np.uint8)


def rgb_of(page: TiffPage, samples: Eight) -> Eight:
    """(height, width, 3), band by band: a whole copy of a large picture takes memory."""
    photometric = int(page.photometric)
    colours = 3 if photometric == PALETTE else COLOURS[photometric]
    alpha = _alpha(page, colours)
    if colours == 3 and samples.shape[2] == 3:
        return samples
    pixels = np.empty((*samples.shape[:2], 3), np.uint8)
    rows = max(1, BAND_PIXELS // samples.shape[1])
    for top in range(0, samples.shape[0], rows):
        band = samples[top : top + rows]
        shown = _display_rgb(band[..., :colours], photometric)
        if alpha is not None:
            index, premultiplied = alpha
            shown = on_white(shown, band[..., index], premultiplied=premultiplied)
        pixels[top : top + rows] = shown
    return pixels


def alpha_sample(page: TiffPage) -> int | None:
    """Which sample is the picture's transparency."""
    colours = 3 if int(page.photometric) == PALETTE else COLOURS[int(page.photometric)]
    alpha = _alpha(page, colours)
    return None if alpha is None else alpha[0]


def _alpha(page: TiffPage, colours: int) -> tuple[int, bool] | None:
    """Which sample it is and whether the colours are multiplied by it already. A further sample
    that the file does not call alpha is none."""
    for place, kind in enumerate(page.extrasamples):
        if int(kind) in (PREMULTIPLIED, STRAIGHT) and colours + place < page.samplesperpixel:
            return colours + place, int(kind) == PREMULTIPLIED
    return None


def _display_rgb(band: Eight, photometric: int) -> Eight:
    if photometric == WHITE_IS_ZERO:
        return WHITE - band
    if photometric == CMYK:
        ink = Image.frombytes("CMYK", (band.shape[1], band.shape[0]), band.tobytes())
        return np.asarray(ink.convert("RGB"))
    return band


def upright(pixels: Eight, orientation: int) -> Eight:
    """Turned and mirrored as the Orientation tag says; as it lies where the tag says nonsense."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.transpose(1, 0, 2)
    if orientation in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    if orientation in (3, 4, 7, 8):
        pixels = pixels[::-1]
    return np.ascontiguousarray(pixels)
