"""Colours for drawn pictures, tissue's among them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]
Random = np.random.Generator
Colour = tuple[int, int, int]
# From pale eosin to dense haematoxylin: for pictures that are hard to recognise by colour.
TISSUE_COLOURS = np.array(
    [
        [250, 245, 250],
        [240, 200, 225],
        [225, 150, 195],
        [200, 110, 175],
        [150, 80, 160],
        [95, 50, 130],
        [55, 30, 90],
    ]
)


def any_colour(random: Random, low: int = 0, high: int = 256) -> Colour:
    red, green, blue = (int(v) for v in random.integers(low, high, 3))
    return red, green, blue


def tissue_colour(random: Random) -> Colour:
    red, green, blue = (int(v) for v in random.choice(TISSUE_COLOURS) * random.uniform(0.9, 1))
    return red, green, blue


def either(random: Random) -> Colour:
    return tissue_colour(random) if random.random() < 0.5 else any_colour(random)


def image_of(values: Floats) -> Image.Image:
    return Image.fromarray(np.asarray(values).clip(0, 255).astype(np.uint8))
