"""Small synthetic datasets: pink tiles are cancer, blue ones are not, with noise between."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
from PIL import Image

SIDE = 16


def tile(pinkness: float, seed: int) -> Image.Image:
    """Red over green by `pinkness`: the fake engine's margin is pinkness / 16."""
    noise = np.random.default_rng(seed).integers(-6, 7, (SIDE, SIDE, 3))
    pixels = np.array([150 + pinkness / 2, 150 - pinkness / 2, 160]) + noise
    return Image.fromarray(pixels.clip(0, 255).astype(np.uint8))


def foldered(folder: Path, each: int = 12, seed: int = 0) -> Path:
    """`cancer` and `normal` folders; each tile its own case."""
    rng = np.random.default_rng(seed)
    for label, middle in (("adenocarcinoma", 20.0), ("normal", -20.0)):
        (folder / label).mkdir(parents=True)
        for at in range(each):
            tile(rng.normal(middle, 25), at).save(folder / label / f"{at:03}.png")
    return folder


def indexed(folder: Path, cases: int = 8, each: int = 4, seed: int = 0) -> Path:
    """`index.csv` with cases of `each` tiles; half of the cases are cancer."""
    rng = np.random.default_rng(seed)
    (folder / "tiles").mkdir(parents=True)
    with (folder / "index.csv").open("w", newline="") as file:
        out = csv.writer(file, lineterminator="\n")
        out.writerow(["path", "label", "case_id"])
        for case in range(cases):
            label = "adenocarcinoma" if case % 2 else "polyp"
            for at in range(each):
                name = f"tiles/{case:02}-{at}.png"
                tile(rng.normal(20 if case % 2 else -20, 25), 100 * case + at).save(folder / name)
                out.writerow([name, label, f"case-{case}"])
    return folder
