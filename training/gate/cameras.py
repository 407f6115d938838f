"""Other lamps, cameras, magnifications and files."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]
Random = np.random.Generator


def blurred(pixels: Pixels, sigma: float) -> Pixels:
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(sigma)))


def noisy(pixels: Pixels, sigma: float, random: Random) -> Pixels:
    values = pixels + random.normal(0, sigma, pixels.shape)
    return np.asarray(values.clip(0, 255).round().astype(np.uint8))


def compressed(pixels: Pixels, quality: int) -> Pixels:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer).convert("RGB"))


def sharpened(pixels: Pixels, random: Random) -> Pixels:
    """As cameras and viewers do of their own accord."""
    mask = ImageFilter.UnsharpMask(random.uniform(0.7, 2), int(random.integers(40, 200)), 0)
    return np.asarray(Image.fromarray(pixels).filter(mask))


def lit(pixels: Pixels, random: Random) -> Pixels:
    """Another lamp, exposure and white balance: yellowish, bluish, dim, over-exposed."""
    gains = np.exp(random.normal(0, 0.07, 3) + random.uniform(-0.35, 0.15))
    gamma = np.exp(random.uniform(-0.4, 0.4))
    saturation = np.exp(random.uniform(-0.35, 0.6))
    values = (pixels / 255.0) ** gamma * gains
    grey = values.mean(axis=-1, keepdims=True)
    values = grey + (values - grey) * saturation
    return np.asarray((values * 255).clip(0, 255).round().astype(np.uint8))


def turned(pixels: Pixels, random: Random) -> Pixels:
    pixels = np.rot90(pixels, int(random.integers(4)))
    return np.ascontiguousarray(pixels[:, ::-1] if random.random() < 0.5 else pixels)


def framed(pixels: Pixels, random: Random) -> Pixels:
    """Part of the tile, or the tile among its mirror images, at another magnification."""
    height, width = pixels.shape[:2]
    if random.random() < 0.3:
        pixels = np.pad(
            pixels, ((height // 2, height // 2), (width // 2, width // 2), (0, 0)), "reflect"
        )
        height, width = pixels.shape[:2]
    side = int(min(height, width) * random.uniform(0.5, 1))
    top, left = int(random.integers(height - side + 1)), int(random.integers(width - side + 1))
    size = int(random.integers(140, 400))
    cut = Image.fromarray(pixels[top : top + side, left : left + side])
    return np.asarray(cut.resize((size, size), Image.Resampling.BICUBIC))


def at_the_edge(pixels: Pixels, random: Random) -> Pixels:
    """Mostly bare glass: the tile's tissue is left standing in a tenth to a half of the field."""
    values = pixels.reshape(-1, 3)
    brightest = values[np.argsort(values.sum(axis=1))[-max(20, len(values) // 100) :]].mean(axis=0)
    if brightest.min() < 150:
        return pixels  # no glass in sight
    ground = brightest + (255 - brightest) * random.uniform(0, 0.8)
    clouds = clouded(pixels.shape[:2], random, cell=4)
    keep = clouds > np.quantile(clouds, random.uniform(0.5, 0.9))
    soft = Image.fromarray((keep * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(1))
    share = np.asarray(soft, np.float64)[..., None] / 255
    bare = ground + random.normal(0, 1, pixels.shape)
    return np.asarray((pixels * share + bare * (1 - share)).clip(0, 255).astype(np.uint8))


def clouded(shape: tuple[int, ...], random: Random, cell: int = 8) -> Floats:
    """Smooth noise in [0, 1]."""
    coarse = (random.random((cell, cell)) * 255).astype(np.uint8)
    size = (shape[1], shape[0])
    image = Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC)
    return np.asarray(image, np.float64) / 255


def scaled(pixels: Pixels, factor: float) -> Pixels:
    size = (round(pixels.shape[1] * factor), round(pixels.shape[0] * factor))
    way = Image.Resampling.BOX if factor < 1 else Image.Resampling.BICUBIC
    return np.asarray(Image.fromarray(pixels).resize(size, way))


def middle(pixels: Pixels) -> Pixels:
    height, width = pixels.shape[:2]
    return pixels[height // 4 : height - height // 4, width // 4 : width - width // 4]


def gained(pixels: Pixels, red: float, green: float, blue: float) -> Pixels:
    return np.asarray((pixels * [red, green, blue]).clip(0, 255).round().astype(np.uint8))
