"""Real tiles as another laboratory would show them: still H&E."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from training.gate import cameras, stains
from training.gate.cameras import Pixels, Random
from training.gate.stains import Change


def _softened(pixels: Pixels, random: Random) -> Pixels:
    return cameras.blurred(pixels, random.uniform(0.3, 1) * min(pixels.shape[:2]) / 224)


def _grained(pixels: Pixels, random: Random) -> Pixels:
    return cameras.noisy(pixels, random.uniform(1, 5), random)


def _recoded(pixels: Pixels, random: Random) -> Pixels:
    return cameras.compressed(pixels, int(random.integers(30, 96)))


# In the order in which a section, a lamp, a camera and a file come to it, each with its chance.
CHANGES: tuple[tuple[float, Change], ...] = (
    (1.0, cameras.turned),
    (0.7, cameras.framed),
    (0.15, cameras.at_the_edge),
    (0.8, stains.restained),
    (0.8, cameras.lit),
    (0.3, cameras.sharpened),
    (0.25, _softened),
    (0.2, _grained),
    (0.5, _recoded),
)


def seen_elsewhere(pixels: Pixels, random: Random) -> Pixels:
    """The tile under another stain, light, camera, magnification and codec; still H&E."""
    for chance, change in CHANGES:
        if random.random() < chance:
            pixels = change(pixels, random)
    return pixels


# One change at a time, of a known size: still H&E, and to be let through.
PERTURBATIONS: dict[str, Callable[[Pixels], Pixels]] = {
    "as it is": lambda p: p,
    "pale stain (half)": lambda p: stains.amounts(p, 0.5, 0.5),
    "dark stain (1.5 times)": lambda p: stains.amounts(p, 1.5, 1.5),
    "over-purple (haematoxylin 1.6, eosin 0.6)": lambda p: stains.amounts(p, 1.6, 0.6),
    "over-pink (haematoxylin 0.6, eosin 1.6)": lambda p: stains.amounts(p, 0.6, 1.6),
    "yellowish white": lambda p: cameras.gained(p, 1.0, 0.97, 0.82),
    "bluish white": lambda p: cameras.gained(p, 0.87, 0.95, 1.0),
    "greenish white": lambda p: cameras.gained(p, 0.88, 1.0, 0.88),
    "brightness 0.65": lambda p: cameras.gained(p, 0.65, 0.65, 0.65),
    "brightness 1.2": lambda p: cameras.gained(p, 1.2, 1.2, 1.2),
    "normalised (Macenko)": stains.normalised,
    "0.5 times the size": lambda p: cameras.scaled(p, 0.5),
    "2 times the size": lambda p: cameras.scaled(p, 2),
    "3.4 times the size": lambda p: cameras.scaled(p, 3.43),
    "middle quarter, 2 times": lambda p: cameras.scaled(cameras.middle(p), 2),
    "JPEG quality 30": lambda p: cameras.compressed(p, 30),
    "blur of 1 pixel": lambda p: cameras.blurred(p, 1),
    "blur of 2 pixels": lambda p: cameras.blurred(p, 2),
    "noise of 6 grey levels": lambda p: cameras.noisy(p, 6, np.random.default_rng(0)),
}
