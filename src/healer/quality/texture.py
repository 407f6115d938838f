"""What is measured of a view's sharpness and texture, before it is made into figures.

`kernel.measure_texture` takes it in C where that was compiled, in a sixth of the time, and lets go
of Python's lock once. Here it is in NumPy, which is what the C is tested against.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from healer.quality.planes import (
    Floats,
    halved,
    halvings,
    octaves,
    planes_of,
    products,
    sample_of,
)

GREENS = 4  # octaves that `detail` compares
OCTAVES = 5
PARTS = 4  # rows, and columns, that a view is parted into
CODES = 10  # of binary patterns
BLOCK = 8  # a side in pixels

# As `Measures` in gate.h. Sums and counts, unless said otherwise.
MEASURES = np.dtype(
    [
        ("alike", np.float32),  # pixels as green as the one left of them
        ("green", np.float32, GREENS),  # deviations of green's octaves
        ("energy", np.float32),
        ("cos2", np.float32),
        ("sin2", np.float32),
        ("cos4", np.float32),
        ("deviation", np.float32),  # of halved green, as the next three
        ("cubes", np.float32),  # a mean
        ("means", np.float32, (PARTS, PARTS)),
        ("squares", np.float32, (PARTS, PARTS)),  # means
        ("dips", np.float32, 2),  # of halved green, and of that halved again
        ("peaks", np.float32, 2),
        ("depth", np.float32, 2),
        ("height", np.float32, 2),
        ("patterns", np.float32, (2, CODES)),
        ("light", np.float32),  # a deviation
        ("band_light", np.float32, OCTAVES),  # deviations
        ("moments", np.float32, (OCTAVES, 3, 3)),
        ("cubed", np.float32, OCTAVES),
        ("fourth", np.float32, OCTAVES),
    ]
)


class Texture(NamedTuple):
    """`sample` is every second pixel of the halved picture and of its rows, (3, rows, columns);
    `blocks` are the means of halved green's cos2, sin2 and energy in each block; `found` is one
    record of MEASURES. `rows` and `columns` are the view's."""

    rows: int
    columns: int
    sample: Floats
    blocks: Floats
    found: NDArray[np.void]


def measure_texture_plainly(view: NDArray[np.uint8]) -> Texture:
    """Of a view at least 32 pixels on each side."""
    found = np.zeros((), MEASURES)
    planes = planes_of(view)
    half = halved(planes)
    green, *greens = planes[1:2], *halvings(half[1:2], GREENS - 1)
    bands = green_deviations([green, *greens])
    found["green"][: len(bands)] = bands
    found["alike"] = np.count_nonzero(green[0, :, 1:] == green[0, :, :-1])
    blocks = _measure_directions(greens[0][0], found)
    _measure_sameness(greens[0][0], found)
    for at, grey in enumerate((greens[0][0], greens[1][0])):
        _measure_blobs(grey, at, found)
        found["patterns"][at] = patterns(grey)
    _measure_scales(planes, found)
    rows, columns = view.shape[:2]
    return Texture(rows, columns, sample_of(half), blocks, found)


def green_deviations(levels: Sequence[Floats]) -> list[np.float32]:
    return [band.std() for band in octaves(levels)]


def light_warm_purple(planes: Floats) -> Floats:
    """[[¼, ½, ¼], [1, 0, -1], [½, -1, ½]] of red, green and blue, which are whole numbers, so that
    nothing is rounded; BLAS would wake its own threads for a product of matrices."""
    red, green, blue = planes
    layers = np.empty_like(planes)
    purple = (red + blue) * np.float32(0.5)
    np.add(purple, green, out=layers[0])
    layers[0] *= np.float32(0.5)
    np.subtract(red, blue, out=layers[1])
    np.subtract(purple, green, out=layers[2])
    return layers


def _measure_scales(planes: Floats, found: NDArray[np.void]) -> None:
    layers = light_warm_purple(planes)
    found["light"] = layers[0].std()
    for at, band in enumerate(octaves(halvings(layers, OCTAVES))):
        flat = band.reshape(3, -1)
        square = flat[0] * flat[0]
        found["band_light"][at] = band[0].std()
        found["moments"][at] = products(flat)
        found["cubed"][at], found["fourth"][at] = square @ flat[0], square @ square


def _measure_directions(grey: Floats, found: NDArray[np.void]) -> Floats:
    dx, dy = grey[1:-1, 2:] - grey[1:-1, :-2], grey[2:, 1:-1] - grey[:-2, 1:-1]
    xx, yy, xy = dx * dx, dy * dy, dx * dy
    energy = xx + yy
    cos2, sin2 = xx - yy, 2 * xy
    cos4 = (cos2 * cos2 - sin2 * sin2) / (energy + 1)
    sums = {"energy": energy, "cos2": cos2, "sin2": sin2, "cos4": cos4}
    for name, values in sums.items():
        found[name] = values.sum()
    rows, columns = energy.shape[0] // BLOCK, energy.shape[1] // BLOCK
    inside = (slice(0, rows * BLOCK), slice(0, columns * BLOCK))
    return np.stack([_blocks(v[inside], rows, columns) for v in (cos2, sin2, energy)])


def _blocks(values: Floats, rows: int, columns: int) -> Floats:
    height, width = values.shape[0] // rows, values.shape[1] // columns
    cut = values[: rows * height, : columns * width]
    return np.asarray(cut.reshape(rows, height, columns, width).mean(axis=(1, 3)))


def _measure_sameness(grey: Floats, found: NDArray[np.void]) -> None:
    found["deviation"] = grey.std()
    found["means"] = _blocks(grey, PARTS, PARTS)
    found["squares"] = _blocks(grey * grey, PARTS, PARTS)
    centred = grey - grey.mean()
    found["cubes"] = (centred * centred * centred).mean()


def _measure_blobs(grey: Floats, at: int, found: NDArray[np.void]) -> None:
    inner = grey[1:-1, 1:-1]
    around = (grey[:-2, 1:-1], grey[2:, 1:-1], grey[1:-1, :-2], grey[1:-1, 2:])
    low = np.minimum(np.minimum(around[0], around[1]), np.minimum(around[2], around[3]))
    high = np.maximum(np.maximum(around[0], around[1]), np.maximum(around[2], around[3]))
    dips, peaks = np.maximum(low - inner, 0), np.maximum(inner - high, 0)
    found["dips"][at], found["peaks"][at] = np.count_nonzero(dips > 2), np.count_nonzero(peaks > 2)
    found["depth"][at], found["height"][at] = dips.sum(), peaks.sum()


def patterns(grey: Floats) -> NDArray[np.intp]:
    """Ten-bin histogram of uniform local binary patterns, with a dead zone against noise."""
    centre = grey[1:-1, 1:-1] + 2
    rows, columns = grey.shape
    ring = ((0, 0), (0, 1), (0, 2), (1, 2), (2, 2), (2, 1), (2, 0), (1, 0))
    # As bytes of 0 and 1, which add up without a conversion at each step.
    above = [(grey[r : rows - 2 + r, c : columns - 2 + c] > centre).view(np.uint8) for r, c in ring]
    changes = np.zeros(centre.shape, np.uint8)
    count = np.zeros(centre.shape, np.uint8)
    for now, after in zip(above, above[1:] + above[:1], strict=True):
        changes += now ^ after
        count += now
    count[changes > 2] = CODES - 1
    return np.bincount(count.ravel(), minlength=CODES)
