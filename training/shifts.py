"""Simulated laboratories: fixed changes to test tiles, each drawn the same way every time."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from training.augment import STAINS, compressed

Pixels = NDArray[np.uint8]


def as_is(tile: Pixels) -> Pixels:
    return tile


def jpeg_30(tile: Pixels) -> Pixels:
    return compressed(tile, 30)


def blur(tile: Pixels) -> Pixels:
    return np.asarray(Image.fromarray(tile).filter(ImageFilter.GaussianBlur(2)))


def stain(tile: Pixels) -> Pixels:
    """A pinker, paler laboratory: other dyes, less haematoxylin, a warm white balance."""
    dyes = np.array([[0.55, 0.76, 0.35], [0.18, 0.93, 0.32], [0.27, 0.57, 0.78]])
    density = -np.log((tile.astype(np.float64) + 1) / 256)
    amounts = density @ np.linalg.inv(STAINS.numpy()) * [0.65, 1.35, 1.0]
    bright = 255 * np.exp(-amounts @ dyes) * [1.0, 0.95, 0.86]
    return np.asarray(bright.clip(0, 255), np.uint8)


def twice(tile: Pixels) -> Pixels:
    """Twice the magnification: the central quarter."""
    quarter = tile.shape[0] // 4
    return tile[quarter:-quarter, quarter:-quarter]


def half(tile: Pixels) -> Pixels:
    """Half the magnification: the tile mirrored out to twice its width."""
    pad = tile.shape[0] // 2
    return np.pad(tile, ((pad, pad), (pad, pad), (0, 0)), mode="reflect")


SHIFTS: dict[str, Callable[[Pixels], Pixels]] = {
    "as it is": as_is,
    "JPEG quality 30": jpeg_30,
    "blur, sigma 2 px": blur,
    "other stain and white balance": stain,
    "2× magnification": twice,
    "0.5× magnification": half,
}


def shifted(pixels: Pixels, name: str) -> Pixels:
    """A batch (n, h, w, 3) as that laboratory would have sent it."""
    return np.stack([SHIFTS[name](tile) for tile in pixels])
