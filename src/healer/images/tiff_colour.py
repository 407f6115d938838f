"""Samples of a TIFF page to the RGB that a viewer shows, upright, on white."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from healer.images.tiff_coding import CMYK, COLOURS, PALETTE, WHITE_IS_ZERO

if TYPE_CHECKING:
    from tifffile import TiffPage


Bytes = bytes | memoryview
Eight = NDArray[np.uint8]


def bytes_of(area: tuple[int, int], across: int, down: int) -> int:
    """What (height, width) pixels take, one Cb and one Cr for `across` × `down` of them."""
    height, width = area
    return ceil(height / down) * ceil(width / across) * (across * down + 2)


def unpacked(packed: Bytes, area: tuple[int, int], across: int, down: int) -> Eight:
    """RGB of `area`: each unit is `down` rows of `across` Ys, then Cb and Cr."""
    height, width = area
    units = np.frombuffer(packed, np.uint8).reshape(ceil(height / down), ceil(width / across), -1)
    rows, columns = units.shape[0] * down, units.shape[1] * across
    packed_luma = units[..., :-2].reshape(*units.shape[:2], down, across)
    planes = np.empty((rows, columns, 3), np.uint8)
    planes[..., 0] = packed_luma.transpose(0, 2, 1, 3).reshape(rows, columns)
    planes[..., 1:] = units[..., -2:].repeat(down, axis=0).repeat(across, axis=1)
    return to_rgb(planes[:height, :width])


def to_rgb(planes: NDArray[np.generic]) -> Eight:
    size = (planes.shape[1], planes.shape[0])
    image = Image.frombytes("YCbCr", size, np.ascontiguousarray(planes).tobytes())
    return np.asarray(image.convert("RGB"))


WHITE = 255


def on_white(
    colour: NDArray[np.uint8], alpha: NDArray[np.uint8], *, premultiplied: bool
) -> NDArray[np.uint8]:
    """`colour` is (height, width, channels), `alpha` (height, width)."""
    opacity = alpha.astype(np.uint16)[..., None]
    shown = colour.astype(np.uint16)
    if premultiplied:
        laid = shown + (WHITE - opacity)
    else:
        laid = (shown * opacity + WHITE * (WHITE - opacity) + WHITE // 2) // WHITE
    return laid.clip(0, WHITE).astype(np.uint8)


BAND_PIXELS = 2**20
PREMULTIPLIED, STRAIGHT = 1, 2


def rgb_of(page: TiffPage, samples: Eight) -> Eight:
    """(height, width, 3), band by band: a whole copy of a large picture is dear."""
    photometric = int(page.photometric)
    colours = 3 if photometric == PALETTE else COLOURS[photometric]
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
    if photometric == WHITE_IS_ZERO:
        return 255 - band
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
