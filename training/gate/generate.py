"""Every kind of drawn picture that is not histology, by name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

from training.gate import drawings, surfaces
from training.gate.palette import Pixels, Random

KINDS: dict[str, Callable[[int, int, Random], Image.Image]] = {
    "document": drawings.document,
    "plot": drawings.plot,
    "screen": drawings.screen,
    "gradient": drawings.gradient,
    "flat colour": drawings.flat,
    "chequered": drawings.chequered,
    "white noise": surfaces.white_noise,
    "clouds": surfaces.clouds,
    "pen marks": drawings.pen_marks,
    "drawn radiograph": drawings.radiograph,
    "cloth": surfaces.cloth,
    "skin": surfaces.skin,
    "petals": surfaces.petals,
    "sunset": surfaces.sunset,
    "dots": drawings.dots,
    "code": drawings.code,
}


def drawn(kind: str, random: Random) -> Pixels:
    """One picture of a kind in `KINDS`, 150 to 600 pixels a side."""
    width, height = (int(side) for side in random.integers(150, 600, 2))
    image = KINDS[kind](width, height, random)
    return np.asarray(image.convert("RGB"))
