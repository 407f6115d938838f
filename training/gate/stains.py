"""Tiles in more, less or another stain, and spoilt: in optical density."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from PIL import Image

from training.gate.cameras import Floats, Pixels, Random, blurred, clouded, noisy

Change = Callable[[Pixels, Random], Pixels]
# Absorbance of one unit of each stain in red, green and blue (Ruifrok and Johnston 2001, and the
# published variants of their table for the others).
HAEMATOXYLIN = np.array([0.65, 0.70, 0.29])
EOSIN = np.array([0.07, 0.99, 0.11])
PLANE = np.linalg.inv(
    np.array(
        [
            HAEMATOXYLIN,
            EOSIN,
            np.cross(HAEMATOXYLIN, EOSIN) / np.linalg.norm(np.cross(HAEMATOXYLIN, EOSIN)),
        ]
    )
)
STAINS = {
    "DAB": np.array([0.27, 0.57, 0.78]),
    "AEC": np.array([0.27, 0.68, 0.68]),
    "methyl green": np.array([0.98, 0.14, 0.13]),
    "alcian blue": np.array([0.87, 0.46, 0.15]),
    "aniline blue": np.array([0.85, 0.51, 0.10]),
    "ponceau": np.array([0.10, 0.74, 0.66]),
    "silver": np.array([0.57, 0.58, 0.58]),
    "orange G": np.array([0.06, 0.30, 0.95]),
    "light green": np.array([0.90, 0.15, 0.40]),
    "blue haematoxylin": np.array([0.80, 0.56, 0.20]),
    "fast red": np.array([0.21, 0.85, 0.48]),
    "nuclear red": np.array([0.15, 0.80, 0.55]),
}
# What takes the place of haematoxylin, and of eosin.
OTHER_STAINS = {
    "haematoxylin and DAB": ("blue haematoxylin", "DAB"),
    "DAB alone": ("DAB", "DAB"),
    "methyl green and DAB": ("methyl green", "DAB"),
    "trichrome": ("ponceau", "aniline blue"),
    "light green trichrome": ("ponceau", "light green"),
    "alcian blue": ("nuclear red", "alcian blue"),
    "silver": ("silver", "silver"),
    "orange counterstain": ("blue haematoxylin", "orange G"),
    "red chromogen on green": ("methyl green", "AEC"),
}


def density(pixels: Pixels) -> Floats:
    return np.asarray(-np.log((pixels.astype(np.float64) + 1) / 256))


def light(densities: Floats) -> Pixels:
    return np.asarray((256 * np.exp(-densities) - 1).round().clip(0, 255).astype(np.uint8))


def other_stain(pixels: Pixels, name: str, random: Random) -> Pixels:
    """The tile with each of its two stains exchanged."""
    amounts = np.maximum(density(pixels) @ PLANE, 0)
    for at in (0, 1):
        amounts[..., at] *= random.uniform(0.6, 1.4)
    if name.startswith("haematoxylin"):  # positive cells: where there is most haematoxylin
        nuclear = random.random() < 0.5
        source = amounts[..., 0 if nuclear else 1]
        where = clouded(source.shape, random) > random.uniform(0.2, 0.6)
        brown = source * where
        amounts[..., 1] = brown * random.uniform(0.8, 1.6)
        amounts[..., 0] = np.where(where & nuclear, 0.2, 0.7) * amounts[..., 0]
    first, second = (STAINS[stain] for stain in OTHER_STAINS[name])
    return light(amounts[..., :1] * first + amounts[..., 1:2] * second)


def restained(pixels: Pixels, random: Random) -> Pixels:
    """More or less of each stain, each a little another shade."""
    amounts = density(pixels) @ PLANE
    spread = 0.35
    amounts[..., 0] *= np.exp(random.uniform(-spread, spread))
    amounts[..., 1] *= np.exp(random.uniform(-spread, spread))
    amounts *= np.exp(random.uniform(-1.2 * spread, 0.7 * spread))  # thick or thin, pale or dark
    tilt = np.linalg.inv(PLANE) + random.normal(0, 0.05, (3, 3))
    return light(np.maximum(amounts @ tilt, 0))


def amounts(pixels: Pixels, haematoxylin: float, eosin: float) -> Pixels:
    amounts = density(pixels) @ PLANE * [haematoxylin, eosin, 1]
    return light(np.maximum(amounts @ np.linalg.inv(PLANE), 0))


def like(pixels: Pixels, other: Pixels, share: float = 1.0) -> Pixels:
    """`share` of the way to another's mean and spread in optical density (after Reinhard)."""
    mine, theirs = density(pixels), density(other)
    mean, spread = mine.mean(axis=(0, 1)), mine.std(axis=(0, 1)) + 0.01
    expected = theirs.std(axis=(0, 1)).clip(0.02, None)
    moved = (mine - mean) / spread * expected + theirs.mean(axis=(0, 1))
    return light(np.maximum(mine + share * (moved - mine), 0))


def normalised(pixels: Pixels, angle: float = 1.0) -> Pixels:
    """Macenko's normalisation to his published reference (source: Macenko et al., ISBI 2009)."""
    flat = density(pixels).reshape(-1, 3)
    tissue = flat[(flat > 0.15).all(axis=1)]
    if len(tissue) < 50:
        return pixels
    _, vectors = np.linalg.eigh(np.cov(tissue.T))
    plane = vectors[:, [2, 1]] * np.where(vectors[0, [2, 1]] < 0, -1, 1)
    angles = np.arctan2(*(tissue @ plane).T[::-1])
    edges = np.percentile(angles, (angle, 100 - angle))
    first, second = (plane @ [np.cos(edge), np.sin(edge)] for edge in edges)
    pair = np.array([first, second] if first[0] > second[0] else [second, first])
    amounts = np.linalg.lstsq(pair.T, flat.T, rcond=None)[0]
    top = np.percentile(amounts, 99, axis=1).clip(0.05, None)
    reference = np.array([[0.5626, 0.7201, 0.4062], [0.2159, 0.8012, 0.5581]])
    scaled = (amounts.T / top * [1.9705, 1.0308]) @ reference
    return light(np.maximum(scaled, 0)).reshape(pixels.shape)


def fluorescent(pixels: Pixels, random: Random) -> Pixels:
    """Nuclei that glow on black, in one or two channels."""
    amounts = np.maximum(density(pixels) @ PLANE, 0)[..., :2]
    bright = (amounts / (np.percentile(amounts, 99, axis=(0, 1)) + 0.05)).clip(0, 1) ** 1.5
    nuclear = random.choice(np.array([[0, 0, 1], [0.1, 0.3, 1], [1, 1, 1], [0, 1, 0], [1, 0, 1]]))
    other = random.choice(np.array([[0, 1, 0], [1, 0, 0], [0, 0, 0], [0, 1, 1], [1, 0, 0.6]]))
    return np.asarray(
        ((bright[..., :1] * nuclear + bright[..., 1:] * other) * 255).clip(0, 255).astype(np.uint8)
    )


def negative(pixels: Pixels, _random: Random) -> Pixels:
    return np.asarray(255 - pixels)


def grey(pixels: Pixels, _random: Random) -> Pixels:
    return np.asarray(Image.fromarray(pixels).convert("L").convert("RGB"))


def other_hues(pixels: Pixels, random: Random) -> Pixels:
    """Channels exchanged: no stain makes these colours out of H&E."""
    orders = ([1, 0, 2], [0, 2, 1], [1, 2, 0], [2, 0, 1])
    return np.ascontiguousarray(pixels[..., orders[int(random.integers(len(orders)))]])


def far_out_of_focus(pixels: Pixels, random: Random) -> Pixels:
    return blurred(pixels, random.uniform(5, 12) * min(pixels.shape[:2]) / 224)


def drowned_in_noise(pixels: Pixels, random: Random) -> Pixels:
    return noisy(pixels, random.uniform(60, 120), random)


def scrambled(pixels: Pixels, random: Random) -> Pixels:
    """The tile's own colours and spectrum with random phases: texture without anything in it."""
    spectrum = np.fft.rfft2(pixels.astype(np.float64), axes=(0, 1))
    phases = np.angle(np.fft.rfft2(random.normal(size=pixels.shape[:2])))[..., None]
    values = np.fft.irfft2(spectrum * np.exp(1j * phases), pixels.shape[:2], axes=(0, 1))
    values += pixels.mean(axis=(0, 1)) - values.mean(axis=(0, 1))
    return np.asarray(values.clip(0, 255).astype(np.uint8))


SPOILT: dict[str, Change] = {
    "fluorescence": fluorescent,
    "negative": negative,
    "grey tile": grey,
    "other hues": other_hues,
    "out of focus": far_out_of_focus,
    "drowned in noise": drowned_in_noise,
    "scrambled tile": scrambled,
}
