"""What is measured of a picture: sharpness, texture at several scales, colour and stains."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from math import isfinite

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from healer.quality.colour import colour
from healer.quality.kernel import measure_texture
from healer.quality.planes import (
    Figures,
    fraction,
    halved,
    halvings,
    planes_of,
    sample_of,
)
from healer.quality.texture import GREENS, OCTAVES, Texture, green_deviations


def detail(pixels: NDArray[np.uint8]) -> float:
    """Contrast in the two finest octaves for each unit of it in the two above.

    Divided so, it knows neither stain nor exposure. A picture without any detail gives 0.25,
    tissue in focus 0.4 to 1.2, white noise 4. At 224 pixels, a blur of 4 pixels (standard
    deviation) brings tissue to 0.32.
    """
    levels = halvings(pixels[..., 1].astype(np.float32)[None], GREENS)
    return detail_of(green_deviations(levels))


def detail_of(deviations: Iterable[np.float32]) -> float:
    """The same, of the deviations of green's octaves."""
    fine, next_, coarse, coarser, *_ = [*map(float, deviations), *[0.0] * GREENS]
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


BAND = ("skew", "kurtosis", "warmth", "purpleness", "light_warm", "light_purple", "warm_purple")

NO_BANDS = dict.fromkeys((f"{key}_{at}" for at in range(OCTAVES) for key in BAND), 0.0)


def scales(texture: Texture) -> Figures:
    """Energy by octave: of light, of colour, and of the two together."""
    found = texture.found
    overall = float(found["light"]) + 1
    figures = dict(NO_BANDS)
    energies = [float(each) for each in found["band_light"]]
    for at, pixels in enumerate(_octave_pixels(texture)):
        figures |= {f"{key}_{at}": value for key, value in _band(found, at, pixels).items()}
    figures |= {f"energy_{at}": value / overall for at, value in enumerate(energies)}
    for at, (fine, coarse) in enumerate(pairwise(energies)):
        figures[f"fall_{at}"] = float(np.log((fine + 0.1) / (coarse + 0.1)))
    return figures | {"deviation": overall}


def _octave_pixels(texture: Texture) -> Iterator[int]:
    """How many pixels each octave has; fewer octaves where the picture is small."""
    rows, columns = texture.rows, texture.columns
    for _ in range(OCTAVES):
        if min(rows, columns) < 4:
            return
        rows, columns = rows // 2, columns // 2
        yield 4 * rows * columns


def _band(found: NDArray[np.void], at: int, pixels: int) -> Figures:
    moments = found["moments"][at] / pixels
    variance = moments.diagonal() + 0.05
    together = moments / np.sqrt(variance[:, None] * variance)
    of_light = float(variance[0])
    values = (
        float(found["cubed"][at]) / pixels / of_light**1.5,
        float(np.log(float(found["fourth"][at]) / pixels / of_light**2 + 0.1)),
        float(np.log(variance[1] / variance[0])),
        float(np.log(variance[2] / variance[0])),
        float(together[0, 1]),
        float(together[0, 2]),
        float(together[1, 2]),
    )
    return dict(zip(BAND, values, strict=True))


def structure(texture: Texture) -> Figures:
    """Of the halved green plane, and of what halving makes of it."""
    figures = _directions(texture) | _sameness(texture.found)
    rows, columns = texture.rows // 2, texture.columns // 2
    for at, (blobs, codes) in enumerate((("small", "fine"), ("large", "coarse"))):
        pixels = (rows - 2) * (columns - 2)
        figures |= {f"{blobs}_{name}": v for name, v in _blobs(texture.found, at, pixels).items()}
        patterns = texture.found["patterns"][at].astype(np.float64) / pixels
        figures |= {f"{codes}_{code}": value for code, value in enumerate(patterns)}
        rows, columns = rows // 2, columns // 2
    return figures


def _directions(texture: Texture) -> Figures:
    found, blocks = texture.found, texture.blocks
    total = float(found["energy"]) + 1
    strength = np.hypot(blocks[0], blocks[1])
    ordered = np.sort(blocks[2].ravel())
    return {
        "oriented": float(np.hypot(found["cos2"], found["sin2"])) / total,
        "axes": float(found["cos4"]) / total,
        "coherent": float(strength.sum() / (blocks[2].sum() + 1)),
        "quiet": fraction(blocks[2] < 0.1 * blocks[2].mean() + 1e-3),
        "busiest": float(ordered[-max(1, len(ordered) // 10) :].sum() / (ordered.sum() + 1)),
    }


def _sameness(found: NDArray[np.void]) -> Figures:
    spread = float(found["deviation"]) + 1
    means = found["means"]
    deviations = np.sqrt(np.maximum(found["squares"] - means * means, 0))
    return {
        "drift": float(means.std()) / spread,
        "top_bottom": abs(float(means[:2].mean() - means[2:].mean())) / spread,
        "left_right": abs(float(means[:, :2].mean() - means[:, 2:].mean())) / spread,
        "uneven": float(deviations.std() / (deviations.mean() + 1)),
        "calmest": float(deviations.min() / (deviations.mean() + 1)),
        "asymmetry": float(found["cubes"]) / spread**3,
    }


def _blobs(found: NDArray[np.void], at: int, pixels: int) -> Figures:
    """Local dips (nuclei) and peaks per pixel, and how deep they are."""
    depth, height = found["depth"][at], found["height"][at]
    return {
        "dips": float(found["dips"][at]) / pixels,
        "peaks": float(found["peaks"][at]) / pixels,
        "depth": float(np.log((depth + 1) / (height + 1))),
    }


VIEW = 224


def view_of(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The picture with its shorter side at most `VIEW` pixels, each the mean of what it covers."""
    height, width = pixels.shape[:2]
    scale = VIEW / min(height, width)
    if scale >= 1:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX))


def tissue(view: NDArray[np.uint8]) -> float:
    """The figure of that name, by itself."""
    return colour(sample_of(halved(planes_of(view))))["tissue"]


def measure_figures(view: NDArray[np.uint8]) -> Figures:
    """Every figure of a view at least 32 pixels on each side; all are finite."""
    texture = measure_texture(view)
    found = texture.found
    figures = colour(texture.sample) | structure(texture) | scales(texture)
    figures["alike"] = float(found["alike"]) / (texture.rows * (texture.columns - 1))
    figures["detail"] = detail_of(found["green"])
    return {name: float(value) if isfinite(value) else 0.0 for name, value in figures.items()}
