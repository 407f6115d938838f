"""A slide of drawn tissue, for pictures of the page: nobody's slide lies in the repository."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter

from tests.e2e.drawings import epithelium, other_tissue
from tests.slides.glass import GLASS, write_svs
from training.data import TILE

UM_PER_PX = 0.5
SIZE = (3300, 2200)  # µm
STEP = TILE * 3 // 4  # tiles lie over each other and are blended, so that no seam is seen
CALM = (0, 13, 17)
CROWDED = (17, 37, 10, 38, 223, 69)
FOCI = ((2050, 850, 420, 330), (950, 1350, 210, 190))  # middle and half axes, µm

Floats = NDArray[np.float32]


def draw_slide(path: Path, seed: int = 4) -> Path:
    """Two pieces of calm tissue, with two foci of crowded nuclei."""
    random = np.random.default_rng(seed)
    calm = _blended([other_tissue(number) for number in CALM], random)
    crowded = _blended([epithelium(number) for number in CROWDED], random)
    wave = gaussian_filter(random.standard_normal(calm.shape[:2]), 60)
    wave *= 0.16 / wave.std()
    foci = _soft(np.min([_ellipse(focus) for focus in FOCI], axis=0) + wave, 0.04)
    pieces = np.min([_ellipse((2000, 900, 1050, 700)), _ellipse((850, 1400, 620, 480))], axis=0)
    tissue = _soft(pieces + wave, 0.012)
    picture = calm + (crowded - calm) * foci[..., None]
    picture = np.array(GLASS, np.float32) + (picture - np.array(GLASS)) * tissue[..., None]
    whole = Image.fromarray(picture.clip(0, 255).astype(np.uint8))
    fine = whole.resize((SIZE[0] * 2, SIZE[1] * 2), Image.Resampling.BICUBIC)
    return write_svs(path, np.asarray(fine), UM_PER_PX)


def _blended(tiles: list[NDArray[np.uint8]], random: np.random.Generator) -> Floats:
    """Tiles of 1 µm a pixel over all of the slide, each fading into the next."""
    width, height = SIZE
    total = np.zeros((height + TILE, width + TILE, 3), np.float32)
    weight = np.zeros((height + TILE, width + TILE, 1), np.float32)
    edge = np.minimum(np.arange(TILE), np.arange(TILE)[::-1]).clip(1, TILE - STEP)
    share = np.outer(edge, edge)[..., None].astype(np.float32)
    for y in range(0, height, STEP):
        for x in range(0, width, STEP):
            tile = tiles[random.integers(len(tiles))]
            total[y : y + TILE, x : x + TILE] += tile * share
            weight[y : y + TILE, x : x + TILE] += share
    blended: Floats = (total / weight.clip(1e-6))[:height, :width]
    return blended


def _ellipse(shape: tuple[int, int, int, int]) -> Floats:
    """1 at its edge, 0 in its middle."""
    x, y, across, down = shape
    rows, columns = np.mgrid[: SIZE[1], : SIZE[0]].astype(np.float32)
    distance: Floats = np.hypot((columns - x) / across, (rows - y) / down)
    return distance


def _soft(distance: Floats, width: float) -> Floats:
    """1 inside, 0 outside."""
    soft: Floats = 1 / (1 + np.exp(np.clip((distance - 1) / width, -30, 30)))
    return soft
