"""EBHI-Seg in memory: tiles, lesion masks, labels, cases, and splits that never part a case."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.progress import track
from sklearn.model_selection import StratifiedGroupKFold

# Folder name in EBHI-Seg, and the name a person reads. In the order of the network's outputs.
CLASSES = {
    "adenocarcinoma": "adenocarcinoma",
    "high-grade-in": "high-grade intraepithelial neoplasia",
    "low-grade-in": "low-grade intraepithelial neoplasia",
    "serrated-adenoma": "serrated adenoma",
    "polyp": "non-neoplastic polyp",
    "normal": "normal mucosa",
}
LABELS = tuple(CLASSES)
CANCER_INDEX = LABELS.index("adenocarcinoma")
# What the masks leave out: stroma, muscle, lymphocytes, blood, lumen. Not a class of EBHI-Seg.
OTHER = len(LABELS)
OTHER_NAME = "other tissue"
# In the order of the network's outputs.
OUTPUT_NAMES = (*CLASSES.values(), OTHER_NAME)
OUTPUTS = len(OUTPUT_NAMES)
TILE = 224


@dataclass(frozen=True)
class Tiles:
    """`pixels` (n, TILE, TILE, 3) uint8; `masks` (n, TILE, TILE) uint8, 255 in the lesion.

    `masked` is False where the publisher gives no mask: such tiles are tested on, not trained on.
    """

    paths: NDArray[np.str_]
    pixels: NDArray[np.uint8]
    masks: NDArray[np.uint8]
    masked: NDArray[np.bool_]
    labels: NDArray[np.int64]
    cases: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: NDArray[np.int64]) -> Tiles:
        return Tiles(
            self.paths[rows],
            self.pixels[rows],
            self.masks[rows],
            self.masked[rows],
            self.labels[rows],
            self.cases[rows],
        )


def default_folder() -> Path:
    beside = Path(__file__).parents[2] / "shared" / "data"
    return Path(os.environ.get("HEALER_TEST_DATA", beside)) / "ebhi-seg"


def load(folder: Path, limit: int | None = None) -> Tiles:
    """Every tile of `index.csv`, or every k-th so that about `limit` remain."""
    with (folder / "index.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    rows = rows[:: max(1, len(rows) // limit)] if limit else rows
    pixels = np.empty((len(rows), TILE, TILE, 3), np.uint8)
    masks = np.zeros((len(rows), TILE, TILE), np.uint8)
    masked = np.zeros(len(rows), np.bool_)
    for at, row in enumerate(track(rows, "Reading tiles")):
        pixels[at] = read(folder / row["path"], "RGB")
        mask = (folder / "masks" / row["path"]).with_suffix(".png")
        masked[at] = mask.is_file()
        if masked[at]:
            masks[at] = read(mask, "L")
    labels = np.array([LABELS.index(row["label"]) for row in rows], np.int64)
    paths = np.array([row["path"] for row in rows])
    return Tiles(paths, pixels, masks, masked, labels, np.array([row["case_id"] for row in rows]))


def read(file: Path, mode: str) -> NDArray[np.uint8]:
    with Image.open(file) as image:
        return np.asarray(image.convert(mode).resize((TILE, TILE)), np.uint8)


def folds(
    tiles: Tiles, count: int, seed: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """(train rows, test rows), each case on one side only, classes spread evenly."""
    split = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    yield from split.split(np.zeros(len(tiles)), tiles.labels, tiles.cases)


def sampling_weights(tiles: Tiles) -> NDArray[np.float64]:
    """Rare classes and cases with few tiles are drawn more often, each by a square root."""
    class_size = np.bincount(tiles.labels, minlength=len(LABELS))[tiles.labels]
    keys = np.char.add(tiles.cases, tiles.labels.astype(str))
    _, where, size = np.unique(keys, return_inverse=True, return_counts=True)
    weights = 1 / np.sqrt(class_size * size[where]) * tiles.masked
    return np.asarray(weights / weights.sum())
