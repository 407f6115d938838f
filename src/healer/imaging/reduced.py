"""Whether a small picture is a smaller copy of a large one, where no tag says so."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 16
# On average, of 255. Two tiles of one stain come as near only by chance, and do not vary alike.
NEAR = 12.0
ALIKE = 0.8  # Pearson's correlation
FLAT = 3.0  # a standard deviation below which there is nothing to correlate


def is_reduced_copy(small: NDArray[np.uint8], large: NDArray[np.uint8]) -> bool:
    one, other = _shrunk(small), _shrunk(large)
    if np.abs(one - other).mean() > NEAR:
        return False
    if one.std() < FLAT and other.std() < FLAT:
        return True
    return bool(np.corrcoef(one.mean(axis=2).ravel(), other.mean(axis=2).ravel())[0, 1] >= ALIKE)


def _shrunk(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    image = Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(image, np.float64)
