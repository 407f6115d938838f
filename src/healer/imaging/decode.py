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
from PIL import Image, ImageOps, UnidentifiedImageError

from healer.errors import (
    EmptyFile,
    HealerError,
    NotAnImage,
    TooManyPixels,
    TruncatedImage,
    UnsupportedFormat,
)
from healer.imaging import signatures
from healer.imaging.tile import Tile

FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP")
UNREAD_MODES = {"F": "a floating-point picture", "LAB": "a CIELAB picture"}
PLAUSIBLE_MPP = (0.05, 5.0)  # outside it, a resolution tag is a screen's or a printer's default
MICROMETRES_PER_INCH = 25_400.0

# Our own limit, checked from the header in `decode`, takes the place of Pillow's warning.
Image.MAX_IMAGE_PIXELS = None

Result = TypeVar("Result")


def decode(data: bytes, *, max_pixels: int) -> Tile:
    """The first frame of an encoded picture, upright, as 8-bit RGB; alpha is laid on white."""
    if not data:
        raise EmptyFile
    image = _open(data)
    if image.width * image.height > max_pixels:
        raise TooManyPixels(image.width, image.height, max_pixels)
    mpp = _mpp(image)
    _guarded(image.load)
    upright = _upright(image)
    return Tile(pixels=np.asarray(_guarded(lambda: _to_rgb(upright))), mpp=mpp)


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
        raise TruncatedImage(str(error) or type(error).__name__) from error


def _upright(image: Image.Image) -> Image.Image:
    # A broken EXIF block says nothing about the pixels: the picture is then taken as it lies.
    with suppress(OSError, SyntaxError, ValueError, KeyError, TypeError, struct.error):
        return ImageOps.exif_transpose(image)
    return image


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith("I"):
        return _from_16_bit(image)
    if image.mode in UNREAD_MODES:
        raise UnsupportedFormat(UNREAD_MODES[image.mode])
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        white = Image.new("RGBA", rgba.size, "white")
        return Image.alpha_composite(white, rgba).convert("RGB")
    return image.convert("RGB")


def _from_16_bit(image: Image.Image) -> Image.Image:
    grey = np.asarray(image).astype(np.int64).clip(0, 65535)
    return Image.fromarray((grey // 257).astype(np.uint8)).convert("RGB")


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
