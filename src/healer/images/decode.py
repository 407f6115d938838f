"""Bytes in, a tile out: in memory, limits first.

The header is read and checked before any pixel is decoded, so that a small file that claims to
be an enormous picture costs nothing. A picture is decoded to what a reference reader shows, or
refused by the name of its coding. Every failure is one of `healer.errors.ImageError`.

PNG, JPEG, WebP and BMP are read here with Pillow, and what it would misread is refused before;
TIFF in `tiff`, and a microscopic picture in DICOM in `dicom`.
"""

from __future__ import annotations

import struct
from contextlib import suppress
from io import BytesIO

import numpy as np
from numpy.typing import NDArray

# Naming the four keeps Image.open from loading every plugin there is, to find the last one.
from PIL import (  # noqa: F401
    BmpImagePlugin,
    Image,
    ImageOps,
    JpegImagePlugin,
    PngImagePlugin,
    UnidentifiedImageError,
    WebPImagePlugin,
)

from healer.errors.base import HealerError
from healer.errors.request import (
    EmptyFile,
    NotAnImage,
    PageNotFound,
    TooManyPixels,
    TruncatedImage,
    UnsupportedFormat,
)
from healer.images.headers import (
    format_name,
    jpeg_frame,
    scaled_transparency,
    unread_bitmap,
    unread_png,
    webp_canvas,
)
from healer.images.tiff import read_tiff
from healer.images.tile import Tile, mpp_of, several_pages

PILLOW_FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP")
LONGEST_REASON = 200
BAND_PIXELS = 2**20

# Our own limit, checked from the header, takes the place of Pillow's warning.
Image.MAX_IMAGE_PIXELS = None


def decode(data: bytes, *, max_pixels: int, page: int | None = None) -> Tile:
    """An encoded picture, upright, as 8-bit RGB; alpha is laid on white.

    `page` chooses one of several, from 1; without it, a file of several is refused.
    """
    if not data:
        raise EmptyFile
    format_ = format_name(data)
    if format_ is None:
        raise NotAnImage
    try:
        return _read(data, format_, max_pixels, page)
    except (MemoryError, HealerError):
        raise
    except UnidentifiedImageError:
        raise TruncatedImage("its header cannot be read") from None
    except Exception as error:
        # Whatever a decoder raises on hostile bytes is the sender's fault, never ours.
        raise TruncatedImage(_describe(error)) from error


def _read(data: bytes, format_: str, max_pixels: int, page: int | None) -> Tile:
    if format_ == "DICOM" and page is None:
        from healer.images.dicom import read_dicom  # loaded with the first such file

        return read_dicom(data, max_pixels=max_pixels)
    if format_ not in FORMATS:
        raise UnsupportedFormat(format_)
    if format_ == "TIFF":
        return read_tiff(data, max_pixels=max_pixels, page=page)
    return _read_with_pillow(data, format_, max_pixels, page)


def _describe(error: Exception) -> str:
    """One short line that can be printed; a decoder may quote the file."""
    text = "".join(letter if letter.isprintable() else " " for letter in str(error))
    return text[:LONGEST_REASON].strip().rstrip(".") or type(error).__name__


def _read_with_pillow(data: bytes, format_: str, max_pixels: int, page: int | None) -> Tile:
    """Frame number `page`, from 1; without one, the file's only frame of full size."""
    _check_size(webp_canvas(data) or (0, 0), max_pixels)
    if (unread := _unread(data, format_)) is not None:
        raise UnsupportedFormat(unread)
    image = Image.open(BytesIO(data), formats=PILLOW_FORMATS)
    _check_size(image.size, max_pixels)
    number = _seek_frame(image, page, format_)
    _check_size(image.size, max_pixels)
    mpp = mpp_of(_dpi(image))
    image.load()
    if format_ == "PNG":
        scaled_transparency(image, data)
    _turn_upright(image)
    return Tile(pixels=_rgb(image), mpp=mpp, page=number)


def _check_size(size: tuple[int, int], max_pixels: int) -> None:
    width, height = size
    if width * height > max_pixels:
        raise TooManyPixels(width, height, max_pixels)


def _unread(data: bytes, format_: str) -> str | None:
    """A sound file's coding that is not read, by name."""
    match format_:
        case "JPEG":
            frame = jpeg_frame(data)
            return frame.unusual() if frame else None
        case "BMP":
            return unread_bitmap(data)
        case "PNG":
            return unread_png(data)
    return None


def _seek_frame(image: Image.Image, page: int | None, format_: str) -> int | None:
    frames = int(getattr(image, "n_frames", 1))
    if page is not None:
        if not 1 <= page <= frames:
            raise PageNotFound(page, frames)
        if page > 1:
            image.seek(page - 1)
    elif frames > 1 and (full := _full_frames(image, frames)) > 1:
        raise several_pages(format_, full, frames)
    return page if frames > 1 else None


def _full_frames(image: Image.Image, frames: int) -> int:
    """All frames of an animation are; the further pictures in a JPEG may be previews."""
    if image.format != "MPO":
        return frames
    size, full = image.size, 1
    for frame in range(1, frames):
        with suppress(EOFError, OSError, SyntaxError, ValueError, KeyError, struct.error):
            image.seek(frame)
            full += image.size == size
    image.seek(0)
    return full


def _turn_upright(image: Image.Image) -> None:
    # A broken EXIF block says nothing about the pixels: the picture is then taken as it lies.
    with suppress(OSError, SyntaxError, ValueError, KeyError, TypeError, struct.error):
        ImageOps.exif_transpose(image, in_place=True)


def _rgb(image: Image.Image) -> NDArray[np.uint8]:
    """Band by band: a whole copy of 40 megapixels is 160 MB each time."""
    opaque = _is_opaque_bitmap(image)
    pixels = np.empty((image.height, image.width, 3), np.uint8)
    rows = max(1, BAND_PIXELS // image.width)
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        whole = bottom - top == image.height
        band = image if whole else image.crop((0, top, image.width, bottom))
        pixels[top:bottom] = np.asarray(band.convert("RGB")) if opaque else _rgb_of_band(band)
    return pixels


def _is_opaque_bitmap(image: Image.Image) -> bool:
    """Writers leave a bitmap's alpha at 0 and mean nothing by it; viewers show it opaque."""
    return (
        image.format == "BMP"
        and image.mode == "RGBA"
        and image.getchannel("A").getextrema() == (0, 0)
    )


def _rgb_of_band(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode.startswith("I"):
        return (np.asarray(image).clip(0, 65535) // 257).astype(np.uint8)[..., None]
    if image.has_transparency_data:
        rgba = image.convert("RGBA")
        image = Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba)
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _dpi(image: Image.Image) -> float | None:
    try:
        return float(image.info["dpi"][0])
    except (KeyError, IndexError, TypeError, ValueError, ZeroDivisionError):
        return None
