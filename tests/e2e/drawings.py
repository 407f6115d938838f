"""Drawn tissue for README's pictures of the page, so that nobody's tile lies in the repository."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from training.data import TILE
from training.tissue import coloured, draw, noise, nuclei, packed


def epithelium(seed: int) -> NDArray[np.uint8]:
    """Crowded nuclei in winding sheets of cells. What a model says of it means nothing."""
    rng = np.random.default_rng(seed)
    radius = rng.uniform(2.5, 6)
    border = noise(rng, rng.uniform(8, 30)) * rng.uniform(2, 8) + rng.uniform(-0.5, 2)
    sheet = 1 / (1 + np.exp(-border))
    places = packed(rng, int(rng.uniform(0.4, 1.2) * TILE**2 / (np.pi * radius**2)))
    cells = nuclei(rng, places, radius, rng.uniform(1.2, 2.6))
    dye = cells * sheet * rng.uniform(0.7, 1.6) + sheet * rng.uniform(0.1, 0.5) + 0.05
    eosin = (rng.uniform(0.2, 0.7) + 0.1 * noise(rng, 2)) * sheet
    eosin += rng.uniform(0.1, 0.6) * (1 - sheet) + 0.06 * noise(rng, 4)
    return coloured(gaussian_filter(dye, rng.uniform(0.4, 1.2)), eosin)[..., :3]


def other_tissue(seed: int) -> NDArray[np.uint8]:
    return draw(np.random.default_rng(seed))[..., :3]
