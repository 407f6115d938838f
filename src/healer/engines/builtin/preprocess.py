"""From a tile to what the network sees. Training and serving both come through here."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 160
# Bounds the work that one absurdly long picture can ask for.
MOST_WINDOWS = 16
# Names every step outside the network's own graph; change it whenever one of them changes.
PREPROCESSING = (
    f"up to {MOST_WINDOWS} square windows, bilinear antialiased resize to {SIDE} px, RGB uint8; v2"
)


def windows(pixels: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    """Evenly spaced squares, as few as cover a tile of shape (height, width, 3).

    Never more than MOST_WINDOWS: a tile longer than that is sampled, not covered.
    """
    height, width = pixels.shape[:2]
    side = min(height, width)
    count = min(MOST_WINDOWS, math.ceil(max(height, width) / side))
    starts = np.linspace(0, max(height, width) - side, count).round().astype(int)
    if height >= width:
        return [pixels[start : start + side] for start in starts]
    return [pixels[:, start : start + side] for start in starts]


def squared(window: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A square window of any size as (3, SIDE, SIDE), averaged where it shrinks."""
    image = Image.fromarray(np.ascontiguousarray(window))
    resized = image.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
    return np.ascontiguousarray(np.asarray(resized).transpose(2, 0, 1))
