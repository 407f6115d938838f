"""Bytes in, a tile out: in memory, limits first.

The header is read and checked before any pixel is decoded, so that a small file that claims to
be an enormous picture costs nothing. Every failure is one of `healer.errors.ImageError`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import suppress
from io import BytesIO
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

# Naming the five keeps Image.open from loading every plugin there is, to find the last two.
from PIL import (  # noqa: F401
    BmpImagePlugin,
    Image,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from healer.errors import (
    EmptyFile,
    HealerError,
    NotAnImage,
    TooManyPixels,
    TruncatedImage,
    UnsupportedFormat,
)
from healer.imaging import signatures
from healer.imaging.claims import webp_canvas
from healer.imaging.tile import Tile

FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP")
UNREAD_MODES = {"F": "a floating-point picture", "LAB": "a CIELAB picture"}
PLAUSIBLE_MPP = (0.05, 5.0)  # outside it, a resolution tag is a screen's or a printer's default
MICROMETRES_PER_INCH = 25_400.0
LONGEST_REASON = 200
BAND_PIXELS = 2**20

# Our own limit, checked from the header in `decode`, takes the place of Pillow's warning.
Image.MAX_IMAGE_PIXELS = None

Result = TypeVar("Result")


def decode(data: bytes, *, max_pixels: int) -> Tile:
    """The first frame of an encoded picture, upright, as 8-bit RGB; alpha is laid on white."""
    if not data:
        raise EmptyFile
    _check(webp_canvas(data) or (0, 0), max_pixels)
    image = _open(data)
    _check(image.size, max_pixels)
    mpp = _mpp(image)
    _guarded(image.load)
    _turn_upright(image)
    return Tile(pixels=_guarded(lambda: _rgb(image)), mpp=mpp)


def _check(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise TooManyPixels(width, height, max_pixels)


def _open(data: bytes) -> Image.Image:
    known = signatures.name_of(data)
    if known is not None and known not in FORMATS:
        raise UnsupportedFormat(known)
    try:
        return _guarded(lambda: Image.open(BytesIO(data), formats=FORMATS))
    except TruncatedImage:
        if known is None:
            raise NotAnImage from None
        raise


def _guarded(step: Callable[[], Result]) -> Result:
    """Whatever a decoder makes of hostile bytes is the sender's mistake, never ours."""
    try:
        return step()
    except (MemoryError, HealerError):
        raise
    except UnidentifiedImageError:
        raise TruncatedImage("its header cannot be read") from None
    except Exception as error:
        raise TruncatedImage(_in_words(error)) from error


def _in_words(error: Exception) -> str:
    """One short line that can be printed; a decoder may quote the file."""
    text = "".join(letter if letter.isprintable() else " " for letter in str(error))
    return text[:LONGEST_REASON].strip().rstrip(".") or type(error).__name__


def _turn_upright(image: Image.Image) -> None:
    # A broken EXIF block says nothing about the pixels: the picture is then taken as it lies.
    with suppress(OSError, SyntaxError, ValueError, KeyError, TypeError, struct.error):
        ImageOps.exif_transpose(image, in_place=True)


def _rgb(image: Image.Image) -> NDArray[np.uint8]:
    """Band by band: a whole copy of 40 megapixels is 160 MB each time."""
    if image.mode in UNREAD_MODES:
        raise UnsupportedFormat(UNREAD_MODES[image.mode])
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    rows = max(1, BAND_PIXELS // image.width)
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        pixels[top:bottom] = _rgb_of_band(image.crop((0, top, image.width, bottom)))
    return pixels


def _rgb_of_band(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode.startswith("I"):
        return (np.asarray(image).clip(0, 65535) // 257).astype(np.uint8)[..., None]
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return np.asarray(image.convert("RGB"))


def _mpp(image: Image.Image) -> float | None:
    try:
        dpi = float(image.info["dpi"][0])
    except (KeyError, IndexError, TypeError, ValueError, ZeroDivisionError):
        return None
    if not dpi > 0:
        return None
    mpp = MICROMETRES_PER_INCH / dpi
    low, high = PLAUSIBLE_MPP
    return mpp if low <= mpp <= high else None
