"""Small pictures drawn without any library but Pillow and NumPy, the same every time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFilter

from healer.images.tile import Tile

Pixels = NDArray[np.uint8]


def opened(path: object) -> Pixels:
    return np.asarray(Image.open(str(path)).convert("RGB"))


def blurred(pixels: Pixels, sigma: float) -> Tile:
    return Tile(np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(sigma))))


def noisy(pixels: Pixels, sigma: float) -> Tile:
    random = np.random.default_rng(0)
    values = pixels + random.normal(0, sigma, pixels.shape)
    return Tile(values.clip(0, 255).astype(np.uint8))


def brown(pixels: Pixels) -> Tile:
    """The tile as if DAB and haematoxylin had been used: Ruifrok and Johnston's vectors."""
    haematoxylin, eosin = np.array([0.65, 0.70, 0.29]), np.array([0.07, 0.99, 0.11])
    normal = np.cross(haematoxylin, eosin)
    density = -np.log((pixels.astype(np.float64) + 1) / 256)
    amounts = density @ np.linalg.inv([haematoxylin, eosin, normal / np.linalg.norm(normal)])
    amounts = np.maximum(amounts[..., :2], 0)
    stained = amounts @ np.array([[0.27, 0.57, 0.78], [0.1, 0.2, 0.28]])
    return Tile((256 * np.exp(-stained) - 1).clip(0, 255).astype(np.uint8))


def flat(colour: tuple[int, int, int]) -> Tile:
    return Tile(np.full((224, 224, 3), colour, np.uint8))


def document() -> Tile:
    image = Image.new("RGB", (320, 320), "white")
    draw = ImageDraw.Draw(image)
    for line in range(20):
        draw.text((8, 16 * line), "specimen received in formalin, margin free, date 12.3.", "black")
    return Tile(np.asarray(image))


def screen() -> Tile:
    image = Image.new("RGB", (400, 300), (240, 240, 244))
    draw = ImageDraw.Draw(image)
    for at, colour in enumerate(("#3b6ea5", "#d04a8c", "#7a3fa0", "#2e8b57", "#ffffff")):
        draw.rectangle((20 + 60 * at, 40, 70 + 60 * at, 220), colour, "black")
        draw.text((24 + 60 * at, 230), "Button", "black")
    return Tile(np.asarray(image))


def pen(colour: str) -> Tile:
    image = Image.new("RGB", (256, 256), (246, 245, 247))
    draw = ImageDraw.Draw(image)
    draw.line([(20, 200), (80, 40), (150, 180), (230, 60)], colour, 14, "curve")
    return Tile(np.asarray(image.filter(ImageFilter.GaussianBlur(1))))


def radiograph() -> Tile:
    image = Image.new("L", (300, 300), 8)
    draw = ImageDraw.Draw(image)
    draw.ellipse((30, 20, 270, 290), 120)
    draw.ellipse((60, 60, 140, 240), 40)
    draw.ellipse((160, 60, 240, 240), 40)
    draw.rectangle((143, 20, 157, 290), 220)
    soft = np.asarray(image.filter(ImageFilter.GaussianBlur(4)), np.float64)
    grey = soft + np.random.default_rng(0).normal(0, 4, soft.shape)
    return Tile(np.repeat(grey.clip(0, 255).astype(np.uint8)[..., None], 3, axis=2))


def white_noise() -> Tile:
    return Tile(np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8))


def purple_noise() -> Tile:
    random = np.random.default_rng(0)
    grey = random.normal(0, 30, (224, 224, 1)) + np.array([150, 80, 160])
    return Tile(grey.clip(0, 255).astype(np.uint8))


def chequered() -> Tile:
    y, x = np.mgrid[0:224, 0:224]
    colours = np.array([(230, 150, 200), (80, 40, 120)], np.uint8)
    return Tile(colours[(x // 16 + y // 16) % 2])


def gradient() -> Tile:
    share = np.linspace(0, 1, 256)[None, :, None]
    first, second = np.array([240, 200, 225]), np.array([95, 50, 130])
    row = first + (second - first) * share
    return Tile(np.repeat(row, 256, axis=0).astype(np.uint8))


def fluorescent() -> Tile:
    image = Image.new("RGB", (256, 256), "black")
    draw, random = ImageDraw.Draw(image), np.random.default_rng(0)
    for x, y in random.integers(0, 256, (90, 2)):
        draw.ellipse((x - 6, y - 5, x + 6, y + 5), (20, 60, int(random.integers(150, 255))))
    return Tile(np.asarray(image.filter(ImageFilter.GaussianBlur(1))))
