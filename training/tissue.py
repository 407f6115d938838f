"""Tissue that EBHI-Seg does not label, drawn: lymphocytes, fibres, debris, mucus, fat.

A drawing is two layers of dye, haematoxylin and eosin, turned into colour by Beer's law. It is no
portrait: what counts is that dense round nuclei without glands, or fibres without epithelium, are
seen with the label "other tissue". Size, density, shape and grain vary as widely as they may.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, map_coordinates, zoom

from training.augment import STAINS
from training.data import TILE

Layer = NDArray[np.float64]
POOL = 700  # canvases a cycle: each is seen a few times, never twice alike
SHEET_COVER = (0.35, 1.1)  # nuclei in a lymphocyte sheet, as a share of its area


def noise(rng: np.random.Generator, smooth: float, side: int = TILE) -> Layer:
    """Smooth noise of mean 0 and deviation 1; `smooth` in pixels."""
    coarse = max(1.0, smooth / 3)
    small = int(np.ceil(side / coarse)) + 2
    field = gaussian_filter(rng.standard_normal((small, small)), smooth / coarse)
    field = zoom(field, coarse, order=1)[:side, :side]
    return np.asarray((field - field.mean()) / (field.std() + 1e-9))


def anywhere(rng: np.random.Generator, count: int) -> Layer:
    """Places (count, 2) at random: some overlap, some crowd."""
    return rng.uniform(0, TILE, (count, 2))


def packed(rng: np.random.Generator, count: int) -> Layer:
    """About `count` places, side by side as cells in a sheet lie, none on top of another."""
    step = TILE / np.sqrt(max(count, 1))
    rows, columns = np.mgrid[0 : TILE + step : step, 0 : TILE + step : step * 0.866]
    shifted = rows + step / 2 * (np.arange(rows.shape[1]) % 2)
    places = np.stack([columns.ravel(), shifted.ravel()], 1)
    places = places + rng.normal(0, step * rng.uniform(0.08, 0.3), places.shape)
    return np.asarray(places[(places >= 0).all(1) & (places < TILE).all(1)])


def nuclei(
    rng: np.random.Generator,
    places: Layer,
    radius: float,
    longer: float,
    angle: Layer | None = None,
) -> Layer:
    """Haematoxylin of soft ellipses at `places` (n, 2): aspect `longer`, drawn out along `angle`.

    Some fields have open nuclei: a dark rim round pale chromatin.
    """
    layer = np.zeros((TILE, TILE))
    chromatin = 1 + rng.uniform(0.05, 0.5) * noise(rng, max(0.7, radius / 4))
    edge = rng.uniform(0.12, 0.4)
    hollow = rng.choice([0.0, rng.uniform(0.2, 0.75)])
    for x, y in places:
        size = radius * np.exp(rng.normal(0, 0.18))
        aspect = np.exp(abs(rng.normal(0, 0.15)) + np.log(longer))
        turn = rng.uniform(0, np.pi) if angle is None else angle[int(y), int(x)]
        reach = int(size * np.sqrt(aspect) * 1.6) + 2
        rows = slice(max(0, int(y) - reach), min(TILE, int(y) + reach + 1))
        columns = slice(max(0, int(x) - reach), min(TILE, int(x) + reach + 1))
        v, u = np.mgrid[rows, columns]
        along = (u - x) * np.cos(turn) + (v - y) * np.sin(turn)
        across = (v - y) * np.cos(turn) - (u - x) * np.sin(turn)
        away = np.hypot(along / (size * np.sqrt(aspect)), across * np.sqrt(aspect) / size)
        shape = rng.uniform(0.7, 1.2) / (1 + np.exp((away - 1) / (edge / 2)))
        shape *= 1 - hollow * np.exp(-((away / 0.75) ** 4))
        layer[rows, columns] = np.maximum(layer[rows, columns], shape)
    return np.asarray(layer * chromatin.clip(0.2))


def lymphocytes(rng: np.random.Generator) -> tuple[Layer, Layer]:
    radius = float(np.exp(rng.uniform(np.log(2.2), np.log(13))))
    count = int(rng.uniform(*SHEET_COVER) * TILE**2 / (np.pi * radius**2))
    spread = packed if rng.random() < 0.6 else anywhere
    places = spread(rng, min(count, 1500))
    places = places[rng.random(len(places)) > rng.choice([0.0, rng.uniform(0, 0.4)])]
    dye = rng.uniform(0.5, 1.5) * nuclei(rng, places, radius, 1.0)
    ground = rng.uniform(0.0, 0.3) + 0.05 * noise(rng, rng.uniform(1, 12))
    cytoplasm = rng.uniform(0.02, 0.35) + 0.08 * noise(rng, radius)
    return dye + ground, cytoplasm


def fibres(rng: np.random.Generator) -> tuple[Layer, Layer]:
    """Stroma and muscle: wavy bands of eosin, nuclei drawn out along them, clefts, round holes."""
    bend = noise(rng, rng.uniform(12, 90)) * rng.uniform(0.1, 1.2)
    angle = rng.uniform(0, np.pi) + bend
    length, width = rng.uniform(6, 50), np.exp(rng.uniform(np.log(0.6), np.log(7)))
    grain = along(noise(rng, width), angle, length)
    eosin = rng.uniform(0.15, 1.5) * (1 + rng.uniform(0.05, 0.45) * grain)
    eosin *= 1 + rng.uniform(0, 0.4) * noise(rng, rng.uniform(10, 50))
    gaps = along(noise(rng, width * 2), angle, length) > rng.uniform(0.8, 3.5)
    dye = elongated(rng, angle) + rng.uniform(0, 0.35) * (1 + 0.3 * grain)
    if rng.random() < 0.5:
        dye = np.maximum(dye, scattered(rng))
    holes = bubbles(rng) if rng.random() < 0.4 else np.zeros((TILE, TILE), bool)
    return np.where(gaps | holes, 0.1 * dye, dye), eosin * ~(gaps | holes)


def elongated(rng: np.random.Generator, angle: Layer) -> Layer:
    """Nuclei of fibroblasts and muscle, dense to hardly darker than the fibres."""
    radius = float(np.exp(rng.uniform(np.log(1.5), np.log(15))))
    count = min(400, int(rng.uniform(0.01, 0.2) * TILE**2 / (np.pi * radius**2)))
    places = anywhere(rng, count)
    return rng.uniform(0.15, 1.3) * nuclei(rng, places, radius, rng.uniform(1.3, 5), angle)


def scattered(rng: np.random.Generator) -> Layer:
    """A few inflammatory cells."""
    radius = float(np.exp(rng.uniform(np.log(2), np.log(11))))
    count = min(150, int(rng.uniform(0.005, 0.12) * TILE**2 / (np.pi * radius**2)))
    return rng.uniform(0.6, 1.4) * nuclei(rng, anywhere(rng, count), radius, 1.0)


def bubbles(rng: np.random.Generator) -> NDArray[np.bool_]:
    """Round holes: vacuoles, capillaries, oedema."""
    radius = rng.uniform(3, 18)
    count = 1 + int(rng.uniform(0, 0.25) * TILE**2 / (np.pi * radius**2))
    return nuclei(rng, anywhere(rng, min(count, 120)), radius, 1.1) > 0.45


def along(field: Layer, angle: Layer, length: float, steps: int = 9) -> Layer:
    """The field averaged along a direction at every point, rescaled to deviation 1."""
    v, u = np.mgrid[0:TILE, 0:TILE].astype(float)
    total = np.zeros_like(field)
    for step in np.linspace(-length / 2, length / 2, steps):
        place = [v + step * np.sin(angle), u + step * np.cos(angle)]
        total += map_coordinates(field, place, order=1, mode="mirror")
    return np.asarray((total - total.mean()) / (total.std() + 1e-9))


def debris(rng: np.random.Generator) -> tuple[Layer, Layer]:
    """Necrosis: grainy eosin, fragments of nuclei of every size, a few whole cells."""
    eosin = rng.uniform(0.15, 1.2) + 0.15 * noise(rng, rng.uniform(0.8, 3))
    eosin += rng.uniform(0, 0.2) * noise(rng, rng.uniform(6, 30))
    dye = np.zeros((TILE, TILE))
    for _ in range(3):
        radius = float(np.exp(rng.uniform(np.log(0.8), np.log(6))))
        count = int(rng.uniform(0.0, 0.15) * TILE**2 / (np.pi * radius**2))
        dye = np.maximum(
            dye, nuclei(rng, anywhere(rng, min(count, 900)), radius, rng.uniform(1, 1.8))
        )
    return dye * rng.uniform(0.3, 1.2) + rng.uniform(0, 0.25), eosin


def mucus(rng: np.random.Generator) -> tuple[Layer, Layer]:
    """Pale, bluish or pinkish wisps, nearly without cells."""
    angle = rng.uniform(0, np.pi) + noise(rng, rng.uniform(20, 80))
    wisps = along(noise(rng, rng.uniform(0.8, 4)), angle, rng.uniform(10, 50))
    strength = rng.uniform(0.02, 0.15)
    dye = rng.uniform(0.0, 0.15) + strength * wisps
    radius = rng.uniform(2, 6)
    cells = nuclei(rng, anywhere(rng, int(rng.integers(0, 12))), radius, 1.2)
    return np.maximum(dye, cells), rng.uniform(0, 0.15) + strength * noise(rng, 5)


def fat(rng: np.random.Generator) -> tuple[Layer, Layer]:
    """Empty polygons with thin walls, a nucleus here and there in a wall."""
    count = int(rng.integers(4, 60))
    centres = rng.uniform(-20, TILE + 20, (count + 4, 2))
    v, u = np.mgrid[0:TILE, 0:TILE]
    distance = np.hypot(u - centres[:, 0, None, None], v - centres[:, 1, None, None])
    nearest = np.partition(distance, 1, axis=0)[:2]
    wall = np.exp(-(nearest[1] - nearest[0]) / rng.uniform(1.5, 5))
    eosin = rng.uniform(0.2, 0.8) * wall * (1 + 0.3 * noise(rng, 2)).clip(0)
    cells = nuclei(rng, anywhere(rng, int(rng.integers(0, 40))), rng.uniform(1.5, 4), 1.8) * (
        wall > 0.35
    )
    return cells * rng.uniform(0.5, 1.2), eosin


DRAWN: tuple[Callable[[np.random.Generator], tuple[Layer, Layer]], ...] = (
    lymphocytes, lymphocytes, lymphocytes, fibres, fibres, fibres, fibres,
    debris, debris, mucus, fat,
)  # fmt: skip


def draw(rng: np.random.Generator) -> NDArray[np.uint8]:
    """A canvas of drawn tissue without lesion, often of two kinds: (TILE, TILE, 4)."""
    first, second = (DRAWN[int(rng.integers(len(DRAWN)))] for _ in range(2))
    dye, eosin = first(rng)
    if rng.random() < 0.4:
        other_dye, other_eosin = second(rng)
        border = noise(rng, rng.uniform(15, 60)) * rng.uniform(1, 6) + rng.uniform(-2, 2)
        part = 1 / (1 + np.exp(-border))
        dye, eosin = dye * part + other_dye * (1 - part), eosin * part + other_eosin * (1 - part)
    return coloured(gaussian_filter(dye, rng.uniform(0, 0.8)), eosin)


@dataclass(frozen=True)
class Drawn:
    """Drawn canvases (n, TILE, TILE, 4), and the share of views that are taken from them."""

    share: float
    canvases: NDArray[np.uint8]


NOTHING = Drawn(0.0, np.empty((0, TILE, TILE, 4), np.uint8))


def pool(rng: np.random.Generator, share: float, count: int = POOL) -> Drawn:
    return Drawn(share, np.stack([draw(rng) for _ in range(count)])) if share else NOTHING


def coloured(dye: Layer, eosin: Layer) -> NDArray[np.uint8]:
    amounts = np.stack([dye.clip(0), eosin.clip(0)], -1)
    bright = 255 * np.exp(-amounts @ STAINS.numpy()[:2])
    canvas = np.zeros((TILE, TILE, 4), np.uint8)
    canvas[..., :3] = bright.clip(0, 255)
    return canvas


def sprinkle(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Drawn lymphocytes on a real canvas, off the lesion: so drawing by itself carries no label."""
    radius = rng.uniform(2, 5)
    count = int(rng.uniform(0.02, 0.5) * TILE**2 / (np.pi * radius**2))
    dye = (
        nuclei(rng, anywhere(rng, min(count, 500)), radius, 1.0)
        * (picture[..., 3] == 0)
        * rng.uniform(0.4, 1.2)
    )
    stained = picture.copy()
    stained[..., :3] = picture[..., :3] * np.exp(-dye[..., None] * STAINS.numpy()[0])
    return stained
