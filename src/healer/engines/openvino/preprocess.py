"""What Gemma 3's image processor does to a picture, up to where the vision graph takes over.

The processor of the transformers library resizes with Pillow to a square, whatever the picture's
shape, then rescales and normalises; the last two are the first layers of the converted graph.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from healer.imaging.tile import Tile

Pixels = NDArray[np.uint8]


def squared(tile: Tile, size: int, resample: int) -> Pixels:
    """The tile as RGB uint8 of shape (size, size, 3); `resample` is Pillow's number."""
    picture = Image.fromarray(tile.pixels)
    return np.asarray(picture.resize((size, size), Image.Resampling(resample)))
