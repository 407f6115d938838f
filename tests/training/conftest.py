"""Drawn tiles: enough to train on for a moment, the same every time."""

from __future__ import annotations

import numpy as np
import pytest

from training.data import LABELS, TILE, Tiles


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
