"""What is measured of a picture: sharpness, texture at several scales, colour and stains."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import isfinite

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from healer.quality.colour import (
    Figures,
    Floats,
    colour,
    fraction,
    halved,
    halvings,
    octaves,
    products,
)

DETAIL_OCTAVES = 4


def detail(pixels: NDArray[np.uint8]) -> float:
    """Contrast in the two finest octaves for each unit of it in the two above.

    Divided so, it knows neither stain nor exposure. A picture without any detail gives 0.25,
    tissue in focus 0.4 to 1.2, white noise 4. At 224 pixels, a blur of 4 pixels (standard
    deviation) brings tissue to 0.32.
    """
    return detail_of(halvings(pixels[..., 1].astype(np.float32)[None], DETAIL_OCTAVES))


def detail_of(levels: Sequence[Floats]) -> float:
    """The same, of the green plane and what halving makes of it."""
    deviations = [float(band.std()) for band in octaves(levels)]
    fine, next_, coarse, coarser, *_ = deviations + [0.0] * DETAIL_OCTAVES
    return float(np.hypot(fine, next_) / (np.hypot(coarse, coarser) + 0.01))


def native_detail(pixels: NDArray[np.uint8]) -> float:
    """The most `detail` found in the picture's own pixels: in its middle and four corners."""
    height, width = pixels.shape[:2]
    side = min(height, width, VIEW)
    down, right = height - side, width - side
    corners = [(down // 2, right // 2), (0, 0), (0, right), (down, 0), (down, right)]
    windows = {(y, x): pixels[y : y + side, x : x + side] for y, x in corners}
    return max(detail(window) for window in windows.values())


def noise(figures: Figures) -> float:
    """Grey levels by which the finest octave exceeds what tissue could put there.

    From one octave to the next finer, white noise doubles; tissue at most grows by half.
    """
    fine, coarser = (figures[f"energy_{octave}"] for octave in (0, 1))
    excess = max(fine**2 - 2 * coarser**2, 0)
    return float(np.sqrt(excess)) * figures["deviation"]


OCTAVES = 5
BAND = ("skew", "kurtosis", "warmth", "purpleness", "light_warm", "light_purple", "warm_purple")

NO_BANDS = dict.fromkeys((f"{key}_{at}" for at in range(OCTAVES) for key in BAND), 0.0)


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


def scales(planes: Floats) -> Figures:
    """Energy by octave: of light, of colour, and of the two together."""
    layers = light_warm_purple(planes)
    overall = float(layers[0].std()) + 1
    figures = dict(NO_BANDS)
    energies = [0.0] * OCTAVES
    for at, band in enumerate(octaves(halvings(layers, OCTAVES))):
        figures |= {f"{key}_{at}": value for key, value in _band(band.reshape(3, -1)).items()}
        energies[at] = float(band[0].std())
    figures |= {f"energy_{at}": value / overall for at, value in enumerate(energies)}
    for at, (fine, coarse) in enumerate(pairwise(energies)):
        figures[f"fall_{at}"] = float(np.log((fine + 0.1) / (coarse + 0.1)))
    return figures | {"deviation": overall}


def _band(band: Floats) -> Figures:
    light = band[0]
    moments = products(band) / len(light)
    variance = moments.diagonal() + 0.05
    together = moments / np.sqrt(variance[:, None] * variance)
    square = light * light
    values = (
        float(square @ light) / len(light) / float(variance[0]) ** 1.5,
        float(np.log(float(square @ square) / len(light) / float(variance[0]) ** 2 + 0.1)),
        float(np.log(variance[1] / variance[0])),
        float(np.log(variance[2] / variance[0])),
        float(together[0, 1]),
        float(together[0, 2]),
        float(together[1, 2]),
    )
    return dict(zip(BAND, values, strict=True))


def structure(green: Floats, coarse: Floats) -> Figures:
    """Of the green plane, and of what halving makes of it."""
    figures = _directions(green) | _sameness(green) | _blobs(green, coarse)
    for name, grey in (("fine", green), ("coarse", coarse)):
        figures |= {f"{name}_{at}": v for at, v in enumerate(_patterns(grey))}
    return figures


def _directions(grey: Floats) -> Figures:
    dx, dy = grey[1:-1, 2:] - grey[1:-1, :-2], grey[2:, 1:-1] - grey[:-2, 1:-1]
    xx, yy, xy = dx * dx, dy * dy, dx * dy
    energy = xx + yy
    total = float(energy.sum()) + 1
    cos2, sin2 = xx - yy, 2 * xy
    cos4 = (cos2 * cos2 - sin2 * sin2) / (energy + 1)
    side = 8
    rows, columns = max(1, energy.shape[0] // side), max(1, energy.shape[1] // side)
    inside = (slice(0, rows * side), slice(0, columns * side))
    blocks = [_blocks(v[inside], rows, columns) for v in (cos2, sin2, energy)]
    strength = np.hypot(blocks[0], blocks[1])
    ordered = np.sort(blocks[2].ravel())
    return {
        "oriented": float(np.hypot(cos2.sum(), sin2.sum())) / total,
        "axes": float(cos4.sum()) / total,
        "coherent": float(strength.sum() / (blocks[2].sum() + 1)),
        "quiet": fraction(blocks[2] < 0.1 * blocks[2].mean() + 1e-3),
        "busiest": float(ordered[-max(1, len(ordered) // 10) :].sum() / (ordered.sum() + 1)),
    }


def _blocks(values: Floats, rows: int, columns: int) -> Floats:
    height, width = values.shape[0] // rows, values.shape[1] // columns
    cut = values[: rows * height, : columns * width]
    return np.asarray(cut.reshape(rows, height, columns, width).mean(axis=(1, 3)))


def _sameness(grey: Floats) -> Figures:
    spread = float(grey.std()) + 1
    means = _blocks(grey, 4, 4)
    squares = _blocks(grey * grey, 4, 4) - means * means
    deviations = np.sqrt(np.maximum(squares, 0))
    centred = grey - grey.mean()
    return {
        "drift": float(means.std()) / spread,
        "top_bottom": abs(float(means[:2].mean() - means[2:].mean())) / spread,
        "left_right": abs(float(means[:, :2].mean() - means[:, 2:].mean())) / spread,
        "uneven": float(deviations.std() / (deviations.mean() + 1)),
        "calmest": float(deviations.min() / (deviations.mean() + 1)),
        "asymmetry": float((centred * centred * centred).mean()) / spread**3,
    }


def _blobs(green: Floats, coarse: Floats) -> Figures:
    """Local dips (nuclei) and peaks per pixel, at two sizes, and how deep they are."""
    figures: Figures = {}
    for name, grey in (("small", green), ("large", coarse)):
        inner = grey[1:-1, 1:-1]
        around = (grey[:-2, 1:-1], grey[2:, 1:-1], grey[1:-1, :-2], grey[1:-1, 2:])
        low = np.minimum(np.minimum(around[0], around[1]), np.minimum(around[2], around[3]))
        high = np.maximum(np.maximum(around[0], around[1]), np.maximum(around[2], around[3]))
        dips, peaks = np.maximum(low - inner, 0), np.maximum(inner - high, 0)
        figures[f"{name}_dips"] = fraction(dips > 2)
        figures[f"{name}_peaks"] = fraction(peaks > 2)
        figures[f"{name}_depth"] = float(np.log((dips.sum() + 1) / (peaks.sum() + 1)))
    return figures


def _patterns(grey: Floats) -> NDArray[np.float64]:
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
    count[changes > 2] = 9
    return np.bincount(count.ravel(), minlength=10) / changes.size


VIEW = 224


def view_of(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture with its shorter side at most `VIEW` pixels, each the mean of what it covers."""
    height, width = pixels.shape[:2]
    scale = VIEW / min(height, width)
    if scale >= 1:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX))


def planes_of(view: NDArray[np.uint8]) -> Floats:
    return np.ascontiguousarray(view.transpose(2, 0, 1), np.float32)


def tissue(view: NDArray[np.uint8]) -> float:
    """The figure of that name, by itself."""
    return colour(halved(planes_of(view))[:, ::2, ::2])["tissue"]


def measure_figures(view: NDArray[np.uint8]) -> Figures:
    """Every figure of a view at least 32 pixels on each side; all are finite."""
    planes = planes_of(view)
    half = halved(planes)
    green, *greens = planes[1:2], *halvings(half[1:2], DETAIL_OCTAVES - 1)
    figures = colour(half[:, ::2, ::2]) | structure(greens[0][0], greens[1][0]) | scales(planes)
    figures["alike"] = fraction(green[0, :, 1:] == green[0, :, :-1])
    figures["detail"] = detail_of([green, *greens])
    return {name: float(value) if isfinite(value) else 0.0 for name, value in figures.items()}
