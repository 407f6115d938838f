"""A real inference on a known input: what `/ready` and `healer doctor` go by."""

from __future__ import annotations

import numpy as np

from healer.imaging.tile import Tile
from healer.screening.screener import Screener, Screening

EOSIN = np.array([226, 158, 194])
HAEMATOXYLIN = np.array([94, 62, 132])


def known_tile(side: int = 224) -> Tile:
    """A drawn H&E-like field, the same every time: dark round nuclei on a pink ground."""
    rows, columns = np.mgrid[0:side, 0:side]
    nuclei = (np.sin(rows / 5.0) * np.sin(columns / 5.0) > 0.6)[..., None]
    grain = np.random.default_rng(0).integers(-8, 9, (side, side, 3))
    pixels = np.where(nuclei, HAEMATOXYLIN, EOSIN) + grain
    return Tile(pixels=pixels.clip(0, 255).astype(np.uint8))


def self_test(screener: Screener) -> Screening:
    """Raises what the engine raises; a screening with a finite probability otherwise."""
    return screener.screen([known_tile()])[0]
