"""8-bit samples of a TIFF page to the RGB that a viewer shows, upright."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from healer.imaging import tiff_coding as coding
from healer.imaging.alpha import on_white

if TYPE_CHECKING:
    from tifffile import TiffPage

Eight = NDArray[np.uint8]
BAND_PIXELS = 2**20
PREMULTIPLIED, STRAIGHT = 1, 2


def rgb_of(page: TiffPage, samples: Eight) -> Eight:
    """(height, width, 3), band by band: a whole copy of a large picture is dear."""
    photometric = int(page.photometric)
    colours = 3 if photometric == coding.PALETTE else coding.COLOURS[photometric]
    alpha = _alpha(page, colours)
    if colours == 3 and samples.shape[2] == 3:
        return samples
    pixels = np.empty((*samples.shape[:2], 3), np.uint8)
    rows = max(1, BAND_PIXELS // samples.shape[1])
    for top in range(0, samples.shape[0], rows):
        band = samples[top : top + rows]
        shown = _shown(band[..., :colours], photometric)
        if alpha is not None:
            index, premultiplied = alpha
            shown = on_white(shown, band[..., index], premultiplied=premultiplied)
        pixels[top : top + rows] = shown
    return pixels


def _alpha(page: TiffPage, colours: int) -> tuple[int, bool] | None:
    """Which sample it is and whether the colours are multiplied by it already. A further sample
    that the file does not call alpha is none."""
    for place, kind in enumerate(page.extrasamples):
        if int(kind) in (PREMULTIPLIED, STRAIGHT) and colours + place < page.samplesperpixel:
            return colours + place, int(kind) == PREMULTIPLIED
    return None


def _shown(band: Eight, photometric: int) -> Eight:
    if photometric == coding.WHITE_IS_ZERO:
        return 255 - band
    if photometric == coding.CMYK:
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
