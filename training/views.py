"""Where in which tile to look: scale, turn, mirror, mosaic. Picks crops by the lesion in them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from healer.engines.builtin.engine import SIDE
from training import tissue
from training.data import TILE, Tiles
from training.tissue import NOTHING, Drawn

OTHER_SHARE = 0.2
SPRINKLED = 0.15  # real canvases with drawn lymphocytes off the lesion
MOSAIC_SHARE = 0.35
# Window sides: of a tile for close fields, of a mosaic (two tiles across) for wide ones.
CLOSEST, WIDE = 0.28, (0.5, 1.2)
# Rendered this large, then averaged down: what is served is averaged down too.
RENDERED = SIDE * 3 // 2


@dataclass(frozen=True)
class View:
    """A window into a canvas: centre and half-size in [-1, 1] units, turn in radians.

    `fold` > 1 repeats the window by mirroring, which shows little tissue as a wide field.
    """

    centre: tuple[float, float]
    half: tuple[float, float]
    turn: float
    mirror: bool
    fold: float = 1.0


def mosaic(tiles: Tiles, row: int, rng: np.random.Generator) -> NDArray[np.uint8]:
    """2×2 tiles of this one's case and class, at half size: (TILE, TILE, 4)."""
    same = (tiles.cases == tiles.cases[row]) & (tiles.labels == tiles.labels[row]) & tiles.masked
    quarters = [
        turned(halved(layers(tiles, int(pick))), rng)
        for pick in rng.choice(np.flatnonzero(same), 4)
    ]
    return np.concatenate(
        [np.concatenate(quarters[:2], axis=1), np.concatenate(quarters[2:], axis=1)], axis=0
    )


def layers(tiles: Tiles, row: int) -> NDArray[np.uint8]:
    """Pixels and mask of a tile: (TILE, TILE, 4)."""
    return np.concatenate([tiles.pixels[row], tiles.masks[row][..., None]], axis=2)


def halved(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    wide = picture.astype(np.uint16)
    rows = wide[::2] + wide[1::2]
    return ((rows[:, ::2] + rows[:, 1::2] + 2) // 4).astype(np.uint8)


def turned(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    picture = np.rot90(picture, int(rng.integers(4)))
    return picture[:, ::-1] if rng.random() < 0.5 else picture


def share(layer: NDArray[np.uint8], view: View) -> float:
    """The mean of one layer in the window (its turn ignored), in [0, 1]."""
    (x, y), (width, height) = view.centre, view.half
    left, right = (np.clip((np.array([x - width, x + width]) + 1) / 2, 0, 1) * TILE).astype(int)
    top, bottom = (np.clip((np.array([y - height, y + height]) + 1) / 2, 0, 1) * TILE).astype(int)
    return float(layer[top : bottom + 1, left : right + 1].mean() / 255)


def random_view(rng: np.random.Generator, low: float, high: float, stretch: float) -> View:
    """A window whose side is log-uniform in [low, high] of the canvas."""
    size = math.exp(rng.uniform(math.log(low), math.log(high)))
    aspect = math.exp(rng.uniform(-1, 1) * math.log(stretch) / 2)
    room = max(0.0, 1 - size) + 0.05
    centre = (rng.uniform(-room, room), rng.uniform(-room, room))
    turn = rng.uniform(0, 2 * math.pi)
    return View(centre, (size * aspect, size / aspect), turn, bool(rng.random() < 0.5))


def lesion_view(
    mask: NDArray[np.uint8], rng: np.random.Generator, sides: tuple[float, float]
) -> View:
    """A window that shows enough lesion to deserve the tile's label."""
    views = [random_view(rng, *sides, stretch=1.35) for _ in range(4)]
    good = [view for view in views if share(mask, view) > 0.3]
    return good[0] if good else max(views, key=lambda view: share(mask, view))


def other_view(picture: NDArray[np.uint8], rng: np.random.Generator) -> View:
    """A window without lesion, the widest or (lymphocytes) the darkest of many.

    Sometimes mirrored out to a wide field.
    """
    views = [random_view(rng, 0.1, 0.45, stretch=2.5) for _ in range(24)]
    clear = [view for view in views if share(picture[..., 3], view) < 0.02]
    if not clear:
        view = min(views, key=lambda view: share(picture[..., 3], view))
    elif rng.random() < 0.5:
        view = max(clear, key=lambda view: view.half[0] * view.half[1])
    else:
        view = min(clear, key=lambda view: share(picture[..., 0], view))
    fold = float(rng.uniform(1, 3)) if rng.random() < 0.6 else 1.0
    return View(view.centre, view.half, view.turn, view.mirror, fold)


def grid(views: list[View], side: int = SIDE) -> Tensor:
    """Sampling positions for `grid_sample`, (n, side, side, 2)."""
    line = (torch.arange(side) + 0.5) / side * 2 - 1
    ys, xs = torch.meshgrid(line, line, indexing="ij")
    base = torch.stack([xs, ys], -1)[None]
    fold = torch.tensor([view.fold for view in views])[:, None, None, None]
    folded = ((base * fold - 1) % 4 - 2).abs() - 1
    flip = torch.tensor([[-1.0 if view.mirror else 1.0, 1.0] for view in views])
    scaled = folded * (torch.tensor([view.half for view in views]) * flip)[:, None, None]
    cos = torch.tensor([math.cos(view.turn) for view in views])[:, None, None]
    sin = torch.tensor([math.sin(view.turn) for view in views])[:, None, None]
    x, y = scaled[..., 0], scaled[..., 1]
    spun = torch.stack([cos * x - sin * y, sin * x + cos * y], -1)
    return spun + torch.tensor([view.centre for view in views])[:, None, None]


def drawn_view(rng: np.random.Generator) -> View:
    """Most of a drawn canvas; what is drawn has every size already."""
    return random_view(rng, 0.5, 1.0, stretch=1.35)


def choose(
    tiles: Tiles, row: int, rng: np.random.Generator, drawn: Drawn, closest: float
) -> tuple[NDArray[np.uint8], View]:
    """What to show of a tile, or of drawn tissue in its place, and from which canvas."""
    if drawn.share and rng.random() < drawn.share:
        return drawn.canvases[int(rng.integers(len(drawn.canvases)))], drawn_view(rng)
    picture, view = choose_real(tiles, row, rng, closest)
    if drawn.share and rng.random() < SPRINKLED:
        picture = tissue.sprinkle(picture, rng)
    return picture, view


def choose_real(
    tiles: Tiles, row: int, rng: np.random.Generator, closest: float
) -> tuple[NDArray[np.uint8], View]:
    if rng.random() < OTHER_SHARE:
        picture = layers(tiles, row)
        return picture, other_view(picture, rng)
    if rng.random() < MOSAIC_SHARE:
        picture = mosaic(tiles, row, rng)
        return picture, lesion_view(picture[..., 3], rng, WIDE)
    picture = layers(tiles, row)
    return picture, lesion_view(picture[..., 3], rng, (closest, 1.0))


def draw(
    tiles: Tiles,
    rows: NDArray[np.int64],
    rng: np.random.Generator,
    drawn: Drawn = NOTHING,
    closest: float = CLOSEST,
) -> tuple[Tensor, Tensor]:
    """Random views of the given tiles: pixels (n, 3, SIDE, SIDE) in [0, 1] and masks (n, …)."""
    canvases, views = zip(
        *(choose(tiles, int(row), rng, drawn, closest) for row in rows), strict=True
    )
    source = torch.from_numpy(np.stack(canvases)).permute(0, 3, 1, 2).float() / 255
    place = grid(list(views), RENDERED)
    seen = functional.grid_sample(source, place, padding_mode="reflection", align_corners=False)
    seen = functional.interpolate(seen, size=(SIDE, SIDE), mode="area")
    return seen[:, :3], seen[:, 3]
