"""Figures of colour and of stains."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from healer.quality.kernel import measure_colours
from healer.quality.planes import Figures, Floats
from healer.quality.stains import TINY, Colours

HUES = 12
ROWS = 2048  # OpenBLAS takes threads from 3,072 rows of three on


def colour(sample: Floats) -> Figures:
    """Of a picture (3, rows, columns)."""
    measured = measure_colours(sample)
    found, pixels = measured.found, measured.pixels
    figures = _plain_colour(measured)
    figures["tissue"] = float(found["tissue"]) / pixels
    figures["dark"] = float(found["dark"]) / pixels
    hues = _hues(measured)
    for at, name in enumerate(("white", "raw")):
        stains = _stains(measured, at)
        stains |= {f"hue{hue}": float(value) for hue, value in enumerate(hues[at])}
        stains |= _plane(measured.density[at].T, measured.share[at])
        figures |= {f"{name}_{key}": value for key, value in stains.items()}
    return figures


def _plain_colour(measured: Colours) -> Figures:
    found, pixels = measured.found, measured.pixels
    mean, ground = found["mean"], found["ground"]
    shares = measured.cube[measured.cube > 0] / pixels
    red, green, blue = (float(count) / pixels for count in found["lowest"])
    return {
        "red_green": float(mean[0] - mean[1]),
        "blue_green": float(mean[2] - mean[1]),
        "light": float(mean.mean()),
        "contrast": float(found["spread"].mean()),
        "ground_light": float(ground.mean()),
        "ground_red_green": float(ground[0] - ground[1]),
        "ground_blue_green": float(ground[2] - ground[1]),
        "corr_rg": float(found["correlation"][0]),
        "corr_rb": float(found["correlation"][1]),
        "corr_gb": float(found["correlation"][2]),
        "colours": float(-(shares * np.log(shares)).sum()),
        "commonest": float(shares.max()),
        "most_saturated": float(found["saturated"]),
        "green_lowest": green,
        "blue_lowest": blue,
        "red_lowest": red,
    }


def _hues(measured: Colours) -> Sequence[NDArray[np.number]]:
    """The share of each of HUES directions; more saturated pixels count for more."""
    hue = np.arctan2(measured.y, measured.x)
    bins = ((hue + np.pi) * (HUES / (2 * np.pi))).astype(np.int32).clip(0, HUES - 1)
    weights = measured.share * np.minimum(measured.saturation, 1)
    return [np.bincount(bins[at], weights[at], HUES) for at in range(len(bins))]


def _stains(measured: Colours, at: int) -> Figures:
    found = measured.found["stains"][at]
    mx, my, md = map(float, found["middle"])
    sx, sy, sd = (float(spread) + 0.02 for spread in found["spread"])
    density_x, density_y, xy = map(float, found["products"])
    figures = {"x": mx, "y": my, "density": md, "sx": sx, "sy": sy, "sd": sd}
    figures["density_x"] = density_x / (sd * sx)
    figures["density_y"] = density_y / (sd * sy)
    figures["xy"] = xy / (sx * sy)
    figures["saturation"] = float(found["saturation"])
    figures["grey"] = float(found["grey"])
    # Colour of the faint, the middling and the dense: eosin first, nuclei last.
    for third, inside in enumerate(map(float, found["inside"])):
        figures[f"share{third}"] = inside / measured.pixels
        figures[f"x{third}"] = float(found["x"][third]) / (inside + TINY)
        figures[f"y{third}"] = float(found["y"][third]) / (inside + TINY)
    return figures


def _plane(density: Floats, share: Floats) -> Figures:
    """Macenko's plane: its two edge vectors, and how much of the colour lies outside it."""
    moments = (density * share[:, None]).T @ density
    values, vectors = np.linalg.eigh(moments.astype(np.float64))
    main = vectors[:, 2] * np.sign(vectors[:, 2].sum() + TINY)
    second = vectors[:, 1] * (1 if vectors[2, 1] > 0 else -1)
    along, across = _along(density, main), _along(density, second)
    angle = np.arctan2(across, along + 0.02)[share > 0]
    if len(angle) < 10:
        angle = np.zeros(10, np.float32)
    at = [len(angle) // 20, len(angle) - 1 - len(angle) // 20]
    low, high = np.sort(angle)[at]  # which takes a fifth of the time of np.partition
    figures = {
        "width": float(high - low),
        "second": float(np.sqrt(max(values[1], 0) / (values[2] + TINY))),
        "third": float(np.sqrt(max(values[0], 0) / (values[2] + TINY))),
    }
    for name, edge in (("low", low), ("high", high)):
        vector = main * np.cos(edge) + second * np.sin(edge)
        figures[f"{name}_red"], figures[f"{name}_green"] = float(vector[0]), float(vector[1])
    return figures


def _along(density: Floats, vector: NDArray[np.float64]) -> Floats:
    """`density @ vector`, in parts so short that BLAS does not wake threads of its own for them,
    which would wait for more on cores that others need."""
    parts = [density[at : at + ROWS] for at in range(0, len(density), ROWS)]
    return np.concatenate([part @ vector.astype(np.float32) for part in parts])
