"""Drawn surfaces: noise, clouds, cloth, skin, petals, sky."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from training.gate.palette import (
    TISSUE_COLOURS,
    Floats,
    Random,
    any_colour,
    either,
    image_of,
    tissue_colour,
)


def white_noise(width: int, height: int, random: Random) -> Image.Image:
    channels = int(random.choice([1, 3]))
    noise = random.normal(0, random.uniform(8, 80), (height, width, channels))
    return image_of(np.array(either(random)) + noise)


def _octaves(width: int, height: int, random: Random, fall: float) -> Floats:
    """Noise with power falling as frequency to the -`fall`, scaled to [0, 1]."""
    spectrum = np.fft.rfft2(random.normal(size=(height, width)))
    distance = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    values = np.fft.irfft2(
        spectrum / np.maximum(distance, 1 / max(width, height)) ** fall, (height, width)
    )
    low, high = np.percentile(values, (1, 99))
    return np.asarray(((values - low) / (high - low)).clip(0, 1))


def _toned(values: Floats, random: Random) -> Image.Image:
    """Values in [0, 1] through a ramp of tissue colours, or of any."""
    ramp = TISSUE_COLOURS.astype(np.float64)
    if random.random() < 0.4:
        ramp = np.array([any_colour(random) for _ in range(4)], np.float64)
    elif random.random() < 0.5:
        ramp = np.array([tissue_colour(random) for _ in range(3)], np.float64)
    at = np.linspace(0, 1, len(ramp))
    return image_of(np.stack([np.interp(values, at, ramp[:, c]) for c in range(3)], axis=-1))


def clouds(width: int, height: int, random: Random) -> Image.Image:
    return _toned(_octaves(width, height, random, random.uniform(0.5, 2.5)), random)


def cloth(width: int, height: int, random: Random) -> Image.Image:
    y, x = np.mgrid[0:height, 0:width].astype(np.float64)
    turn, pitch = random.uniform(0, np.pi), random.uniform(3, 18)
    u, v = np.cos(turn) * x + np.sin(turn) * y, np.cos(turn) * y - np.sin(turn) * x
    weave = 0.5 + 0.25 * np.sin(2 * np.pi * u / pitch) + 0.25 * np.sin(2 * np.pi * v / pitch)
    folds = _octaves(width, height, random, 2.2)
    return _toned(
        (0.5 * weave + 0.5 * folds + random.normal(0, 0.05, weave.shape)).clip(0, 1), random
    )


def skin(width: int, height: int, random: Random) -> Image.Image:
    tone = np.array([random.uniform(150, 245), random.uniform(100, 190), random.uniform(80, 180)])
    shade = 0.75 + 0.3 * _octaves(width, height, random, 2.4)
    pores = 1 - 0.08 * _octaves(width, height, random, random.uniform(0.3, 1))
    return image_of(tone * (shade * pores)[..., None])


def petals(width: int, height: int, random: Random) -> Image.Image:
    image = Image.new("RGB", (width, height), either(random))
    draw = ImageDraw.Draw(image)
    for _ in range(int(random.integers(10, 70))):
        x, y = random.uniform(0, width), random.uniform(0, height)
        radius, turn = random.uniform(10, 90), random.uniform(0, 6)
        for leaf in range(int(random.integers(4, 9))):
            angle = turn + leaf * 1.1
            cx, cy = x + radius * np.cos(angle), y + radius * np.sin(angle)
            draw.ellipse(
                (cx - radius * 0.6, cy - radius * 0.4, cx + radius * 0.6, cy + radius * 0.4),
                tissue_colour(random),
            )
    soft = np.asarray(image.filter(ImageFilter.GaussianBlur(random.uniform(0.5, 4))), np.float64)
    return image_of(soft * (0.7 + 0.4 * _octaves(width, height, random, 2)[..., None]))


def sunset(width: int, height: int, random: Random) -> Image.Image:
    sky = _octaves(width, height, random, 2.2) * 0.5 + np.linspace(0, 0.6, height)[:, None]
    ramp = np.array(
        [tissue_colour(random), (250, 170, 130), (255, 220, 190), tissue_colour(random)],
        np.float64,
    )
    at = np.linspace(0, 1, len(ramp))
    picture = np.stack([np.interp(sky, at, ramp[:, c]) for c in range(3)], axis=-1)
    ground = (np.cumsum(random.normal(0, 1.2, width)) + height * random.uniform(0.5, 0.95)).astype(
        int
    )
    picture[np.arange(height)[:, None] > ground[None]] *= 0.15
    return image_of(picture)
