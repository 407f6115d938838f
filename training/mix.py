"""Views of both laboratories' tissue: what the heads of version 4 learn from.

A view belongs to one fold, of EBHI-Seg's cases and of Kather 2016's groups alike, and shows tissue
of that fold alone: the network that never saw the fold can be asked about every one of them.
Kather 2016's tumour, mucosa and tissue are shown alone, as mosaics at several scales, and pasted
into views of EBHI-Seg, so that the source of a picture does not give its class away.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import gaussian_filter
from torch import Tensor
from torch.nn import functional

from healer.engines.builtin.engine import SIDE
from training import augment, crossval, exchange, kather, tissue, views
from training.data import Tiles, sampling_weights
from training.kather import EPITHELIAL, OUTPUTS, KatherTiles
from training.network import STRIDE
from training.tissue import Drawn

SPOTS = SIDE // STRIDE
UNKNOWN = OUTPUTS  # tissue without lesion of which no more is known; one more than the outputs
# Kinds of view, and how many of each in a hundred are cached.
EBHI, DRAWN, KATHER, PASTED = 0, 1, 2, 3
SHARES = {EBHI: 40, DRAWN: 8, KATHER: 36, PASTED: 16}
NARROWEST, WIDEST = 32.0, 360.0  # micrometres across a view of Kather's tissue
MIXED = 0.25  # of its mosaics, those of two classes
MIRRORED = 0.3  # of its wide views, those mirrored out of one tile
DENSITY = -np.log((np.arange(256, dtype=np.float32) + 8) / 263)
DRAWINGS = 300
CLOSEST = 0.16  # of EBHI-Seg's views, as in the last cycle of its own training


@dataclass(frozen=True)
class Sources:
    tiles: Tiles
    folds: NDArray[np.int64]  # of `tiles`
    kather: KatherTiles
    drawn: Drawn


@dataclass(frozen=True)
class Views:
    """`pixels` uint8 (n, 3, SIDE, SIDE); `targets` uint8 (n, OUTPUTS + 1, SPOTS, SPOTS), what share
    of each spot, out of 255, shows what; `kinds` and `folds` of each view."""

    pixels: NDArray[np.uint8]
    targets: NDArray[np.uint8]
    kinds: NDArray[np.int64]
    folds: NDArray[np.int64]


def sources(tiles: Tiles, others: KatherTiles) -> Sources:
    """With a pool of drawn tissue, the same every time."""
    folds = np.empty(len(tiles), np.int64)
    for member in crossval.members(1):
        folds[crossval.rows_of(tiles, member)[1]] = member.fold
    return Sources(tiles, folds, others, tissue.pool(np.random.default_rng(0), 1.0, DRAWINGS))


def draw(source: Sources, count: int, seed: int, *, exchanged: bool = False) -> Views:
    """The same seed gives the same views; the `exchanged` ones take each other's colours."""
    rng = np.random.default_rng(seed)
    torch_source = torch.Generator().manual_seed(seed)
    kinds = rng.choice(list(SHARES), count, p=np.array(list(SHARES.values())) / 100)
    folds = rng.integers(kather.FOLDS, size=count)
    pixels = torch.empty(count, 3, SIDE, SIDE)
    maps = torch.zeros(count, OUTPUTS + 1, SIDE, SIDE)
    real = np.flatnonzero((kinds == EBHI) | (kinds == PASTED))
    pixels[real], maps[real] = ebhi_views(source, folds[real], rng)
    drawn = np.flatnonzero(kinds == DRAWN)
    pixels[drawn], maps[drawn] = drawn_views(source.drawn, len(drawn), rng)
    for at in np.flatnonzero(kinds == KATHER):
        pixels[at], maps[at] = kather_view(source.kather, int(folds[at]), rng)
    for at in np.flatnonzero(kinds == PASTED):
        paste(pixels[at], maps[at], *partner(source.kather, int(folds[at]), maps[at], rng), rng)
    if exchanged:
        changed = exchange.augment(pixels, folds, torch_source)
    else:
        changed = augment.augment(pixels, torch_source)
    pixels, emptied = augment.fade(changed, torch_source, 0.02)
    maps[emptied] = glass()
    spots = functional.avg_pool2d(maps, STRIDE)
    return Views(
        (pixels * 255).round().byte().numpy(),
        (spots * 255).round().byte().numpy(),
        kinds,
        folds,
    )


def glass() -> Tensor:
    target = torch.zeros(OUTPUTS + 1, 1, 1)
    target[kather.output_of("empty")] = 1
    return target


def ebhi_views(
    source: Sources, folds: NDArray[np.int64], rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """Real tissue of EBHI-Seg as version 3 learnt from it, lesion masks turned into targets."""
    weights = sampling_weights(source.tiles)
    rows = np.array([_row(source.folds == fold, weights, rng) for fold in folds])
    pixels, masks = views.draw(source.tiles, rows, rng, tissue.NOTHING, CLOSEST)
    maps = torch.zeros(len(rows), OUTPUTS + 1, SIDE, SIDE)
    maps[torch.arange(len(rows)), torch.from_numpy(source.tiles.labels[rows])] = masks
    maps[:, UNKNOWN] = 1 - masks
    return pixels, maps


def _row(mine: NDArray[np.bool_], weights: NDArray[np.float64], rng: np.random.Generator) -> int:
    share = weights * mine
    return int(rng.choice(len(share), p=share / share.sum()))


def drawn_views(drawn: Drawn, count: int, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    maps = torch.zeros(count, OUTPUTS + 1, SIDE, SIDE)
    maps[:, UNKNOWN] = 1
    if not count:
        return torch.empty(0, 3, SIDE, SIDE), maps
    canvases = drawn.canvases[rng.integers(len(drawn.canvases), size=count), ..., :3]
    source = torch.from_numpy(canvases).permute(0, 3, 1, 2).float() / 255
    place = views.grid([views.drawn_view(rng) for _ in range(count)])
    return functional.grid_sample(
        source, place, padding_mode="reflection", align_corners=False
    ), maps


def kather_view(
    tiles: KatherTiles,
    fold: int,
    rng: np.random.Generator,
    outputs: NDArray[np.int64] | None = None,
) -> tuple[Tensor, Tensor]:
    """A class at a scale, each as often as the others; sometimes two classes side by side."""
    choices = np.arange(EPITHELIAL, OUTPUTS) if outputs is None else outputs
    if outputs is None:  # tumour and mucosa together weigh as much as the tissue classes
        choices = np.r_[choices, [0, 0, 0, EPITHELIAL - 1, EPITHELIAL - 1]]
    first = int(rng.choice(choices))
    field = math.exp(rng.uniform(math.log(NARROWEST), math.log(WIDEST)))
    cells = max(1, math.ceil(field / (kather.SIDE * kather.MPP) + rng.uniform(0, 0.7)))
    two = rng.random() < MIXED
    second = int(rng.choice(np.arange(EPITHELIAL, OUTPUTS))) if two else first
    canvas, layout = mosaic(tiles, fold, (first, second), max(cells, 2 if two else 1), rng)
    side = min(round(field / kather.MPP), *canvas.shape[:2])
    return window(canvas, layout, side, rng)


def mosaic(
    tiles: KatherTiles, fold: int, outputs: tuple[int, int], cells: int, rng: np.random.Generator
) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """cells × cells tiles of these classes, and the class of each pixel; or one tile mirrored."""
    size = cells * kather.SIDE
    canvas = np.empty((size, size, 3), np.uint8)
    layout = np.empty((size, size), np.uint8)
    mirrored = outputs[0] == outputs[1] and rng.random() < MIRRORED
    same = _pick(tiles, fold, outputs[0], rng)
    across = rng.random() < 0.5
    border = rng.integers(1, cells + 1) if cells > 1 else 1
    for row in range(cells):
        for column in range(cells):
            output = outputs[0] if (row if across else column) < border else outputs[1]
            if mirrored:
                tile = same[:: 1 - 2 * (row % 2), :: 1 - 2 * (column % 2)]
            else:
                picked = views.turned(_pick(tiles, fold, output, rng), rng)
                tile = like(picked, same) if rng.random() < 0.5 else picked
            place = np.s_[row * kather.SIDE : (row + 1) * kather.SIDE,
                          column * kather.SIDE : (column + 1) * kather.SIDE]  # fmt: skip
            canvas[place], layout[place] = tile, output
    return canvas, layout


def _pick(
    tiles: KatherTiles, fold: int, output: int, rng: np.random.Generator
) -> NDArray[np.uint8]:
    rows = np.flatnonzero((tiles.folds == fold) & (tiles.outputs == output))
    picked: NDArray[np.uint8] = tiles.pixels[rng.choice(rows)]
    return picked


def like(tile: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A tile in the stain of another: mean optical density by channel."""
    own, wanted = (DENSITY[x[::3, ::3]].mean((0, 1)) for x in (tile, other))
    factor = ((wanted + 0.05) / (own + 0.05)).clip(0.6, 1.6)
    table = (263 * np.exp(-DENSITY[:, None] * factor) - 8).clip(0, 255).astype(np.uint8)
    return np.stack([table[:, channel][tile[..., channel]] for channel in range(3)], axis=2)


def window(
    canvas: NDArray[np.uint8], layout: NDArray[np.uint8], side: int, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """A window of about that side somewhere in the canvas, turned and mirrored: pixels, targets."""
    aspect = math.exp(rng.uniform(-0.15, 0.15))
    height, width = (
        min(round(side * factor), length)
        for factor, length in zip((aspect, 1 / aspect), canvas.shape, strict=False)
    )
    top, left = (int(rng.integers(length - part + 1)) for length, part in
                 zip(canvas.shape, (height, width), strict=False))  # fmt: skip
    part = np.s_[top : top + height, left : left + width]
    size = (SIDE, SIDE)
    image = Image.fromarray(canvas[part]).resize(size, Image.Resampling.BILINEAR)
    classes = Image.fromarray(layout[part]).resize(size, Image.Resampling.NEAREST)
    both = views.turned(np.dstack([np.asarray(image), np.asarray(classes)]), rng)
    pixels = torch.from_numpy(both[..., :3].copy()).permute(2, 0, 1).float() / 255
    codes = torch.from_numpy(both[..., 3].astype(np.int64))
    return pixels, functional.one_hot(codes, OUTPUTS + 1).permute(2, 0, 1).float()


def partner(
    tiles: KatherTiles, fold: int, maps: Tensor, rng: np.random.Generator
) -> tuple[Tensor, Tensor]:
    """What to paste into a view: tissue where it shows a lesion, anything where it shows none."""
    lesion = float(maps[:EPITHELIAL].sum(0).mean())
    tissues = np.arange(EPITHELIAL, OUTPUTS)
    return kather_view(tiles, fold, rng, tissues if lesion > 0.02 else None)


def paste(
    pixels: Tensor, maps: Tensor, other: Tensor, other_maps: Tensor, rng: np.random.Generator
) -> None:
    """A part with a soft, winding border; its stain brought near to the other's, mostly."""
    field = gaussian_filter(rng.standard_normal((SIDE, SIDE)), rng.uniform(12, 40), mode="reflect")
    share = torch.from_numpy(
        1 / (1 + np.exp(-(field - np.quantile(field, rng.uniform(0.2, 0.8))) / field.std() * 12))
    ).float()
    if rng.random() < 0.7:
        own, wanted = (-torch.log((x * 255 + 8) / 263) for x in (other, pixels))
        factor = (wanted.mean((1, 2)) + 0.05) / (own.mean((1, 2)) + 0.05)
        other = (torch.exp(-own * factor.clamp(0.6, 1.6)[:, None, None]) * 263 - 8) / 255
    pixels.copy_(pixels * (1 - share) + other.clamp(0, 1) * share)
    maps.copy_(maps * (1 - share) + other_maps * share)
