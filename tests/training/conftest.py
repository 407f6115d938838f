"""Drawn tiles: enough to train on for a moment, the same every time."""

from __future__ import annotations

import numpy as np
import pytest

from training import kather
from training.data import LABELS, TILE, Tiles
from training.kather import KatherTiles


@pytest.fixture(scope="session")
def drawn() -> Tiles:
    """24 tiles of 12 cases and six classes; each shows a dark disc, which is its mask."""
    rng = np.random.default_rng(0)
    count = 24
    labels = np.arange(count) % len(LABELS)
    rows, columns = np.mgrid[0:TILE, 0:TILE]
    disc = (rows - TILE / 2) ** 2 + (columns - TILE / 2) ** 2 < 70**2
    pixels = rng.integers(170, 250, (count, TILE, TILE, 3), dtype=np.uint8)
    pixels[:, disc] = pixels[:, disc] // 2 + (labels * 12).astype(np.uint8)[:, None, None]
    masks = np.broadcast_to(disc * np.uint8(255), (count, TILE, TILE)).copy()
    return Tiles(
        np.array([f"{at}.jpg" for at in range(count)]),
        pixels,
        masks,
        np.ones(count, np.bool_),
        labels.astype(np.int64),
        np.array([f"case {at // 2}" for at in range(count)]),
    )


@pytest.fixture(scope="session")
def drawn_kather() -> KatherTiles:
    """Five tiles of each of Kather 2016's labels, each a slide of its own."""
    rng = np.random.default_rng(1)
    labels = np.array(sorted([*kather.EPITHELIUM, *kather.TISSUE, kather.COMPLEX]) * 5)
    pixels = rng.integers(60, 250, (len(labels), kather.SIDE, kather.SIDE, 3), dtype=np.uint8)
    groups = np.arange(len(labels))
    return KatherTiles(
        np.array([f"{at}.png" for at in groups]),
        pixels,
        labels,
        np.array([kather.output_of(label) for label in labels]),
        groups,
        kather.split(labels, groups),
    )
