"""What can be measured of a picture without a model: colour in optical density, and texture.

Everything is read off one view: the picture with its shorter side reduced to `VIEW` pixels.
Histology differs from other pictures in three ways that survive another laboratory's stain and
scanner, and each group of figures below looks at one of them:

colour      two absorbing stains on a white ground span a plane in optical density, and hue follows
            density, since nuclei are both the darkest and the bluest thing there is;
scale       contrast lives at the size of nuclei, a few pixels, and hardly falls off from there to
            the size of the picture, where photographs have most of theirs;
structure   no direction, no flat colour, no outline is preferred, and every part looks alike.
"""

from __future__ import annotations

from math import isfinite

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from healer.screening.gate.colour import colour
from healer.screening.gate.planes import Figures, Floats, halved
from healer.screening.gate.texture import scales, structure

VIEW = 224


def view_of(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture with its shorter side at most `VIEW` pixels, each the mean of what it covers."""
    height, width = pixels.shape[:2]
    scale = VIEW / min(height, width)
    if scale >= 1:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX))


def planes_of(view: NDArray[np.uint8]) -> Floats:
    return np.ascontiguousarray(view.transpose(2, 0, 1), np.float32)


def tissue(view: NDArray[np.uint8]) -> float:
    """The figure of that name, by itself."""
    return colour(halved(planes_of(view))[:, ::2, ::2])["tissue"]


def measure(view: NDArray[np.uint8]) -> Figures:
    """Every figure of a view at least 32 pixels on each side; all are finite."""
    planes = planes_of(view)
    half = halved(planes)
    figures = colour(half[:, ::2, ::2]) | structure(half[1]) | scales(planes)
    figures["alike"] = float((view[:, 1:, 1] == view[:, :-1, 1]).mean())
    return {name: float(value) if isfinite(value) else 0.0 for name, value in figures.items()}
