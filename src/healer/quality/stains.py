"""What is measured of a picture's colours and stains, before it is made into figures.

`kernel.measure_colours` takes it in C where that was compiled. Here it is in NumPy, which is what
the C is tested against.
"""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from healer.quality.planes import Floats, products

DENSITY_OF = -np.log((np.arange(256, dtype=np.float32) + 1) / 256)
TISSUE_DENSITY = 0.06  # mean optical density over the ground from which a pixel counts as tissue
DARK_DENSITY = 0.8
GREY = 0.1  # the most saturation of what has no hue
TINY = 1e-6
CUBE = 16**3  # colours that are counted apart
THIRDS = 3

# As `Stain` in gate.h: sums over pixels by their share in the density, unless said otherwise.
STAIN = np.dtype(
    [
        ("middle", np.float32, 3),  # of x, y and density
        ("spread", np.float32, 3),  # deviations
        ("products", np.float32, 3),  # density by x, density by y, x by y
        ("saturation", np.float32),
        ("grey", np.float32),
        ("inside", np.float32, THIRDS),  # how many are faint, middling and dense
        ("x", np.float32, THIRDS),  # plain sums over those
        ("y", np.float32, THIRDS),
    ]
)
# As `Colours` in gate.h; of red, green and blue.
COLOURS = np.dtype(
    [
        ("ground", np.float32, 3),
        ("mean", np.float32, 3),
        ("spread", np.float32, 3),
        ("correlation", np.float32, 3),  # red by green, red by blue, green by blue
        ("saturated", np.float32),
        ("lowest", np.float32, 3),  # how many pixels have least of it
        ("tissue", np.float32),  # a count, as the next
        ("dark", np.float32),
        ("stains", STAIN, 2),
    ]
)


class Colours(NamedTuple):
    """Two of everything: against the ground, and against black. `density` (2, 3, pixels), each
    pixel's `share` in it, the place (x, y) of its hue and its `saturation`, (2, pixels). `cube`
    counts colours, and `found` is one record of COLOURS."""

    density: Floats
    share: Floats
    x: Floats
    y: Floats
    saturation: Floats
    cube: NDArray[np.integer]
    found: NDArray[np.void]

    @property
    def pixels(self) -> int:
        return int(self.share.shape[1])


def measure_colours_plainly(planes: Floats) -> Colours:
    flat = planes.reshape(3, -1).T
    found = np.zeros((), COLOURS)
    light = flat.sum(axis=1)
    ground = flat[light >= np.partition(light, -len(light) // 50)[-len(light) // 50]].mean(axis=0)
    raw = DENSITY_OF[flat.astype(np.uint8)]
    density = np.maximum(raw - DENSITY_OF[ground.astype(np.uint8)], 0)
    found["ground"] = ground
    _measure_plain(flat, found)
    mean = density.mean(axis=1)
    found["tissue"] = np.count_nonzero(mean > TISSUE_DENSITY)
    found["dark"] = np.count_nonzero(mean > DARK_DENSITY)
    both = (density, mean), (raw, raw.mean(axis=1))
    stains = [_measure_stain(*each, found["stains"][at]) for at, each in enumerate(both)]
    share, x, y, saturation = (np.stack(each) for each in zip(*stains, strict=True))
    bins = flat.astype(np.uint8).astype(np.int32) >> 4
    cube = np.bincount(bins[:, 0] * 256 + bins[:, 1] * 16 + bins[:, 2], minlength=CUBE)
    return Colours(np.stack([density.T, raw.T]), share, x, y, saturation, cube, found)


def _measure_plain(flat: Floats, found: NDArray[np.void]) -> None:
    mean, spread = flat.mean(axis=0), flat.std(axis=0)
    centred = (flat - mean) / (spread + 1)
    together = products(centred.T) / len(flat)
    found["mean"], found["spread"] = mean, spread
    found["correlation"] = together[0, 1], together[0, 2], together[1, 2]
    found["saturated"] = (flat.max(axis=1) - flat.min(axis=1)).mean()
    for at, (one, other) in enumerate(((1, 2), (0, 2), (0, 1))):
        least = (flat[:, at] < flat[:, one]) & (flat[:, at] < flat[:, other])
        found["lowest"][at] = np.count_nonzero(least)


def _measure_stain(
    density: Floats, mean: Floats, found: np.void
) -> tuple[Floats, Floats, Floats, Floats]:
    """Hue and saturation of what absorbs (van der Laak's HSD)."""
    weight = np.where(mean > TISSUE_DENSITY, mean, 0)
    inverse = np.float32(1) / (mean + np.float32(0.05))
    x = density[:, 0] * inverse - mean * inverse
    y = (density[:, 1] - density[:, 2]) * inverse * np.float32(3**-0.5)
    share = weight / (weight.sum() + TINY)
    found["middle"] = [(share * v).sum() for v in (x, y, mean)]
    dx, dy, dd = (v - middle for v, middle in zip((x, y, mean), found["middle"], strict=True))
    found["spread"] = [np.sqrt((share * v * v).sum()) for v in (dx, dy, dd)]
    found["products"] = [(share * a * b).sum() for a, b in ((dd, dx), (dd, dy), (dx, dy))]
    saturation = np.hypot(x, y)
    found["saturation"] = (share * saturation).sum()
    found["grey"] = (share * (saturation < GREY)).sum()
    middle = float(found["middle"][2])
    edges = (TISSUE_DENSITY, 0.75 * middle, 1.25 * middle, np.inf)
    for at, (low, high) in enumerate(pairwise(edges)):
        inside = (mean > low) & (mean <= high)
        found["inside"][at] = np.count_nonzero(inside)
        found["x"][at], found["y"][at] = (x * inside).sum(), (y * inside).sum()
    return share, x, y, saturation
