"""Domain shifts: fixed changes to a tile that imitate other laboratories and scanners.

Each takes and gives RGB bytes of shape (height, width, 3).
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Pixels = NDArray[np.uint8]

# Optical density of haematoxylin, eosin and the rest (Ruifrok & Johnston 2001), one row a dye.
STAINS = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])
PALER_DYES = np.array([[0.55, 0.76, 0.35], [0.18, 0.93, 0.32], [0.27, 0.57, 0.78]])
PALER_AMOUNTS = np.array([0.65, 1.35, 1.0])
WARM_WHITE = np.array([1.0, 0.95, 0.86])


def unchanged(tile: Pixels) -> Pixels:
    return tile


def jpeg_30(tile: Pixels) -> Pixels:
    buffer = io.BytesIO()
    Image.fromarray(tile).save(buffer, "JPEG", quality=30)
    return np.asarray(Image.open(buffer))


def stain(tile: Pixels) -> Pixels:
    """Another laboratory's: other dyes, less haematoxylin, more eosin, a warm white balance."""
    density = -np.log((tile.astype(np.float64) + 1) / 256)
    amounts = density @ np.linalg.inv(STAINS) * PALER_AMOUNTS
    colour = 255 * np.exp(-amounts @ PALER_DYES) * WARM_WHITE
    return np.asarray(colour.clip(0, 255).astype(np.uint8))


def blur(tile: Pixels) -> Pixels:
    """Out of focus: Gaussian, sigma 2 px."""
    return np.asarray(Image.fromarray(tile).filter(ImageFilter.GaussianBlur(2)))


def half(tile: Pixels) -> Pixels:
    """Half the magnification: the tile mirrored out to twice its width and height."""
    rows, columns = tile.shape[0] // 2, tile.shape[1] // 2
    return np.pad(tile, ((rows, rows), (columns, columns), (0, 0)), mode="symmetric")


def twice(tile: Pixels) -> Pixels:
    """Twice the magnification: the middle half of the width and height."""
    rows, columns = tile.shape[0] // 4, tile.shape[1] // 4
    return np.ascontiguousarray(tile[rows : len(tile) - rows, columns : tile.shape[1] - columns])


NONE = "none"
SHIFTS: dict[str, Callable[[Pixels], Pixels]] = {
    NONE: unchanged,
    "jpeg-30": jpeg_30,
    "stain": stain,
    "blur": blur,
    "scale-0.5": half,
    "scale-2": twice,
}
TITLES = {
    NONE: "as it is",
    "jpeg-30": "JPEG quality 30",
    "stain": "other stain and white balance",
    "blur": "blur, sigma 2 px",
    "scale-0.5": "0.5× magnification",
    "scale-2": "2× magnification",
}
RESCALED = frozenset({"scale-0.5", "scale-2"})
_NAMES = {title: name for name, title in TITLES.items()} | {"": NONE}


def shift_named(text: str) -> str:
    """A shift's name from its name or its title; raises KeyError where it is neither."""
    return text if text in SHIFTS else _NAMES[text]
