"""Drawn documents, plots, screens, codes, pen marks and radiographs."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from training.gate.palette import (
    Colour,
    Floats,
    Random,
    any_colour,
    either,
    image_of,
    tissue_colour,
)

WORDS = [
    "patient",
    "specimen",
    "colon",
    "biopsy",
    "report",
    "section",
    "received",
    "formalin",
    "margin",
    "result",
    "date",
    "name",
    "the",
    "of",
    "and",
    "with",
    "from",
    "12",
    "2024",
    "mm",
    "left",
    "right",
    "No.",
    "see",
    "page",
    "figure",
    "table",
    "data",
    "mean",
    "figure",
    "total",
    "sum",
    "value",
]
PENS: tuple[Colour, ...] = (
    (20, 20, 20),
    (20, 40, 180),
    (10, 120, 60),
    (200, 20, 40),
    (130, 30, 140),
    (230, 60, 150),
    (60, 20, 120),
)


def document(width: int, height: int, random: Random) -> Image.Image:
    paper = any_colour(random, 225) if random.random() < 0.7 else (255, 255, 255)
    ink = any_colour(random, 0, 90) if random.random() < 0.8 else tissue_colour(random)
    image = Image.new("RGB", (width, height), paper)
    draw, size, y = ImageDraw.Draw(image), int(random.integers(7, 26)), int(random.integers(0, 20))
    while y < height:
        if random.random() > 0.12:
            draw.text(
                (int(random.integers(2, 12)), y),
                _text(random, 3 + width // size // 3),
                ink,
                _font(size),
            )
        y += int(size * 1.35)
    if random.random() < 0.4:
        image = image.rotate(
            random.uniform(-4, 4), fillcolor=paper, resample=Image.Resampling.BICUBIC
        )
    return image


def _text(random: Random, count: int) -> str:
    return " ".join(str(word) for word in random.choice(WORDS, count))


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def plot(width: int, height: int, random: Random) -> Image.Image:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width / 80, height / 80), dpi=80)
    axes = figure.subplots()
    style, values = int(random.integers(4)), random.normal(size=(3, 60)).cumsum(axis=1)
    shades = [tuple(np.array(either(random)) / 255) for _ in range(3)]
    for line, shade in zip(values, shades, strict=True):
        if style == 0:
            axes.plot(line, color=shade)
        elif style == 1:
            axes.scatter(line, random.normal(size=60), color=shade, s=random.uniform(2, 60))
        else:
            axes.bar(np.arange(12), np.abs(line[:12]), color=shade)
    if style == 3:
        axes.imshow(
            random.random((12, 12)), cmap=str(random.choice(["magma", "RdPu", "viridis", "BuPu"]))
        )
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return Image.open(buffer).convert("RGB")


def screen(width: int, height: int, random: Random) -> Image.Image:
    image = Image.new("RGB", (width, height), either(random))
    draw = ImageDraw.Draw(image)
    for _ in range(int(random.integers(4, 25))):
        x, y = int(random.integers(width)), int(random.integers(height))
        box = (
            x,
            y,
            x + int(random.integers(10, width)),
            y + int(random.integers(8, height // 2 + 9)),
        )
        draw.rounded_rectangle(
            box, int(random.integers(0, 9)), fill=either(random), outline=either(random)
        )
        draw.text(
            (x + 4, y + 3), _text(random, 3), any_colour(random), _font(int(random.integers(8, 18)))
        )
    return image


def gradient(width: int, height: int, random: Random) -> Image.Image:
    first, second = np.array(either(random)), np.array(either(random))
    turn = random.uniform(0, 2 * np.pi)
    y, x = np.mgrid[0:height, 0:width]
    at = np.cos(turn) * x + np.sin(turn) * y
    at = ((at - at.min()) / (np.ptp(at) + 1))[..., None]
    return image_of(first + (second - first) * at)


def flat(width: int, height: int, random: Random) -> Image.Image:
    noise = random.normal(0, random.choice([0, 0, 1, 4]), (height, width, 3))
    return image_of(np.array(either(random)) + noise)


def chequered(width: int, height: int, random: Random) -> Image.Image:
    side = int(random.integers(2, 60))
    y, x = np.mgrid[0:height, 0:width]
    which = (x // side + (y // side if random.random() < 0.7 else 0)) % 2
    return image_of(np.array([either(random), either(random)])[which])


def pen_marks(width: int, height: int, random: Random) -> Image.Image:
    ground = any_colour(random, 235)
    image = Image.new("RGB", (width, height), ground)
    draw, pen = ImageDraw.Draw(image), PENS[int(random.integers(len(PENS)))]
    for _ in range(int(random.integers(1, 5))):
        points = random.integers((0, 0), (width, height), (int(random.integers(2, 6)), 2))
        way = _smooth(points.astype(np.float64))
        draw.line([(float(x), float(y)) for x, y in way], pen, int(random.integers(4, 45)), "curve")
    image = image.filter(ImageFilter.GaussianBlur(random.uniform(0.3, 2)))
    return image_of(np.asarray(image) + random.normal(0, random.uniform(0, 3), (height, width, 3)))


def _smooth(points: Floats) -> Floats:
    at = np.linspace(0, len(points) - 1, 80)
    way = np.stack(
        [np.interp(at, np.arange(len(points)), points[:, axis]) for axis in (0, 1)], axis=-1
    )
    kernel = np.ones(15) / 15
    return np.stack([np.convolve(way[:, axis], kernel, "valid") for axis in (0, 1)], axis=-1)


def radiograph(width: int, height: int, random: Random) -> Image.Image:
    image = Image.new("L", (width, height), int(random.integers(0, 30)))
    draw = ImageDraw.Draw(image)
    for _ in range(int(random.integers(3, 14))):
        x, y = random.uniform(0, width), random.uniform(0, height)
        a, b = random.uniform(8, width / 2), random.uniform(8, height / 2)
        draw.ellipse((x - a, y - b, x + a, y + b), int(random.integers(20, 240)))
    soft = np.asarray(image.filter(ImageFilter.GaussianBlur(random.uniform(1, 12))), np.float64)
    soft = soft + random.normal(0, random.uniform(1, 10), soft.shape)
    tint = np.array([1.0, 1.0, 1.0]) if random.random() < 0.8 else np.array([0.8, 0.9, 1.0])
    return image_of(soft[..., None] * tint)


def dots(width: int, height: int, random: Random) -> Image.Image:
    """Purple dots on pink: what a colour rule and a spot count would both let through."""
    image = Image.new("RGB", (width, height), tissue_colour(random))
    draw, shade, size = ImageDraw.Draw(image), tissue_colour(random), random.uniform(2, 14)
    for _ in range(int(random.uniform(0.1, 0.6) * width * height / (4 * size * size))):
        x, y, radius = (
            random.uniform(0, width),
            random.uniform(0, height),
            size * random.uniform(0.7, 1.1),
        )
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), shade)
    return image.filter(ImageFilter.GaussianBlur(random.uniform(0, 1.5)))


def code(width: int, height: int, random: Random) -> Image.Image:
    """Bar codes and two-dimensional codes, as on slide labels."""
    side = int(random.integers(3, 14))
    bits = random.random((height // side + 1, width // side + 1)) < 0.5
    if random.random() < 0.4:
        bits = np.repeat(bits[:1], len(bits), axis=0)
    grid = np.kron(bits, np.ones((side, side)))[:height, :width]
    return image_of(np.where(grid[..., None] > 0, np.array(either(random)), 250))
