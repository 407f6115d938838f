"""Colour planes, and what is lost when they are halved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations_with_replacement, pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Figures = dict[str, float]


def halved(planes: Floats) -> Floats:
    """Means of two by two pixels; rows and columns are the last two axes."""
    rows, columns = planes.shape[-2] // 2 * 2, planes.shape[-1] // 2 * 2
    pairs = planes[..., 0:rows:2, :columns] + planes[..., 1:rows:2, :columns]
    return np.asarray((pairs[..., 0::2] + pairs[..., 1::2]) * np.float32(0.25))


def halvings(planes: Floats, count: int) -> list[Floats]:
    """`planes`, and what halving makes of them again and again; fewer than `count` more where the
    picture is small."""
    found = [planes]
    while len(found) <= count and min(found[-1].shape[-2:]) >= 4:
        found.append(halved(found[-1]))
    return found


def octaves(levels: Sequence[Floats]) -> Iterator[Floats]:
    """What halving takes away, finest first, given what it makes."""
    for planes, coarse in pairwise(levels):
        count, rows, columns = coarse.shape
        wide = np.empty((count, rows, 1, 2 * columns), np.float32)  # each value twice in its row
        wide[..., 0::2] = wide[..., 1::2] = coarse[:, :, None]
        pairs = planes[:, : 2 * rows, : 2 * columns].reshape(count, rows, 2, 2 * columns)
        yield (pairs - wide).reshape(count, 2 * rows, 2 * columns)


def fraction(mask: NDArray[np.bool_]) -> float:
    """`mask.mean()`, without a number for every pixel."""
    return np.count_nonzero(mask) / mask.size


def products(rows: Floats) -> Floats:
    """`rows @ rows.T`, by products of two rows each: with few rows, and those long, BLAS takes
    several times as long for the whole."""
    found = np.empty((len(rows), len(rows)), np.float32)
    for one, other in combinations_with_replacement(range(len(rows)), 2):
        found[one, other] = found[other, one] = rows[one] @ rows[other]
    return found


DENSITY_OF = -np.log((np.arange(256, dtype=np.float32) + 1) / 256)
TISSUE_DENSITY = 0.06  # mean optical density over the ground from which a pixel counts as tissue
HUES = 12
TINY = 1e-6


def colour(planes: Floats) -> Figures:
    flat = planes.reshape(3, -1).T
    light = flat.sum(axis=1)
    ground = flat[light >= np.partition(light, -len(light) // 50)[-len(light) // 50]].mean(axis=0)
    raw = DENSITY_OF[flat.astype(np.uint8)]
    density = np.maximum(raw - DENSITY_OF[ground.astype(np.uint8)], 0)
    mean = density.mean(axis=1)
    tissue = mean > TISSUE_DENSITY
    figures = _plain_colour(flat, ground)
    figures["tissue"] = fraction(tissue)
    figures["dark"] = fraction(mean > 0.8)
    for name, values in (("white", density), ("raw", raw)):
        figures |= {f"{name}_{k}": v for k, v in _stains(values, values.mean(axis=1)).items()}
    return figures


def _plain_colour(flat: Floats, ground: Floats) -> Figures:
    mean, spread = flat.mean(axis=0), flat.std(axis=0)
    centred = (flat - mean) / (spread + 1)
    together = products(centred.T) / len(flat)
    bins = flat.astype(np.uint8) >> 4
    counts = np.bincount(
        bins[:, 0].astype(np.int32) * 256 + bins[:, 1].astype(np.int32) * 16 + bins[:, 2]
    )
    shares = counts[counts > 0] / len(flat)
    return {
        "red_green": float(mean[0] - mean[1]),
        "blue_green": float(mean[2] - mean[1]),
        "light": float(mean.mean()),
        "contrast": float(spread.mean()),
        "ground_light": float(ground.mean()),
        "ground_red_green": float(ground[0] - ground[1]),
        "ground_blue_green": float(ground[2] - ground[1]),
        "corr_rg": float(together[0, 1]),
        "corr_rb": float(together[0, 2]),
        "corr_gb": float(together[1, 2]),
        "colours": float(-(shares * np.log(shares)).sum()),
        "commonest": float(shares.max()),
        "most_saturated": float((flat.max(axis=1) - flat.min(axis=1)).mean()),
        "green_lowest": fraction((flat[:, 1] < flat[:, 0]) & (flat[:, 1] < flat[:, 2])),
        "blue_lowest": fraction((flat[:, 2] < flat[:, 0]) & (flat[:, 2] < flat[:, 1])),
        "red_lowest": fraction((flat[:, 0] < flat[:, 1]) & (flat[:, 0] < flat[:, 2])),
    }


def _stains(density: Floats, mean: Floats) -> Figures:
    """Hue and saturation of what absorbs (van der Laak's HSD), and the plane of two stains."""
    weight = np.where(mean > TISSUE_DENSITY, mean, 0)
    total = weight.sum() + TINY
    inverse = np.float32(1) / (mean + np.float32(0.05))
    x = density[:, 0] * inverse - mean * inverse
    y = (density[:, 1] - density[:, 2]) * inverse * np.float32(3**-0.5)
    share = weight / total
    mx, my, md = (float((share * v).sum()) for v in (x, y, mean))
    dx, dy, dd = x - mx, y - my, mean - md
    sx, sy, sd = (float(np.sqrt((share * v * v).sum())) + 0.02 for v in (dx, dy, dd))
    hue = np.arctan2(y, x)
    saturation = np.hypot(x, y)
    bins = ((hue + np.pi) * (HUES / (2 * np.pi))).astype(np.int32).clip(0, HUES - 1)
    hues = np.bincount(bins, share * np.minimum(saturation, 1), HUES)
    figures = {"x": mx, "y": my, "density": md, "sx": sx, "sy": sy, "sd": sd}
    figures["density_x"] = float((share * dd * dx).sum()) / (sd * sx)
    figures["density_y"] = float((share * dd * dy).sum()) / (sd * sy)
    figures["xy"] = float((share * dx * dy).sum()) / (sx * sy)
    figures["saturation"] = float((share * saturation).sum())
    figures["grey"] = float((share * (saturation < 0.1)).sum())
    figures |= {f"hue{at}": float(value) for at, value in enumerate(hues)}
    return figures | _by_density(mean, x, y, md) | _plane(density, share)


def _by_density(mean: Floats, x: Floats, y: Floats, middle: float) -> Figures:
    """Colour of the faint, the middling and the dense: eosin first, nuclei last."""
    edges = (TISSUE_DENSITY, 0.75 * middle, 1.25 * middle, np.inf)
    figures = {}
    for at, (low, high) in enumerate(pairwise(edges)):
        inside = (mean > low) & (mean <= high)
        count = np.count_nonzero(inside) + TINY
        figures[f"share{at}"] = fraction(inside)
        figures[f"x{at}"] = float((x * inside).sum() / count)
        figures[f"y{at}"] = float((y * inside).sum() / count)
    return figures


def _plane(density: Floats, share: Floats) -> Figures:
    """Macenko's plane: its two edge vectors, and how much of the colour lies outside it."""
    moments = (density * share[:, None]).T @ density
    values, vectors = np.linalg.eigh(moments.astype(np.float64))
    main = vectors[:, 2] * np.sign(vectors[:, 2].sum() + TINY)
    second = vectors[:, 1] * (1 if vectors[2, 1] > 0 else -1)
    along, across = density @ main.astype(np.float32), density @ second.astype(np.float32)
    angle = np.arctan2(across, along + 0.02)[share > 0]
    if len(angle) < 10:
        angle = np.zeros(10, np.float32)
    at = [len(angle) // 20, len(angle) - 1 - len(angle) // 20]
    low, high = np.partition(angle, at)[at]
    figures = {
        "width": float(high - low),
        "second": float(np.sqrt(max(values[1], 0) / (values[2] + TINY))),
        "third": float(np.sqrt(max(values[0], 0) / (values[2] + TINY))),
    }
    for name, edge in (("low", low), ("high", high)):
        vector = main * np.cos(edge) + second * np.sin(edge)
        figures[f"{name}_red"], figures[f"{name}_green"] = float(vector[0]), float(vector[1])
    return figures
