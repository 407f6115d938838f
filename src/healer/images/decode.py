"""Bytes in, a tile out: in memory, limits first.

The header is read and checked before any pixel is decoded, so that a small file that claims to
be an enormous picture costs nothing. A picture is decoded to what a reference reader shows, or
refused by the name of its coding. Every failure is one of `healer.errors.ImageError`.
"""

from __future__ import annotations

from PIL import UnidentifiedImageError

from healer.errors import EmptyFile, HealerError, NotAnImage, TruncatedImage, UnsupportedFormat
from healer.images.headers import format_name
from healer.images.raster import read_raster
from healer.images.tiff import read_tiff
from healer.images.tile import Tile

FORMATS = ("PNG", "JPEG", "TIFF", "WEBP", "BMP")
LONGEST_REASON = 200


def decode(data: bytes, *, max_pixels: int, page: int | None = None) -> Tile:
    """An encoded picture, upright, as 8-bit RGB; alpha is laid on white.

    `page` chooses one of several, from 1; without it, a file of several is refused.
    """
    if not data:
        raise EmptyFile
    format_ = format_name(data)
    if format_ is None:
        raise NotAnImage
    if format_ not in FORMATS:
        raise UnsupportedFormat(format_)
    try:
        return _read(data, format_, max_pixels, page)
    except (MemoryError, HealerError):
        raise
    except UnidentifiedImageError:
        raise TruncatedImage("its header cannot be read") from None
    except Exception as error:
        # Whatever a decoder makes of hostile bytes is the sender's mistake, never ours.
        raise TruncatedImage(_in_words(error)) from error


def _read(data: bytes, format_: str, max_pixels: int, page: int | None) -> Tile:
    if format_ == "TIFF":
        return read_tiff(data, max_pixels=max_pixels, page=page)
    return read_raster(data, format_, max_pixels=max_pixels, page=page)


def _in_words(error: Exception) -> str:
    """One short line that can be printed; a decoder may quote the file."""
    text = "".join(letter if letter.isprintable() else " " for letter in str(error))
    return text[:LONGEST_REASON].strip().rstrip(".") or type(error).__name__
