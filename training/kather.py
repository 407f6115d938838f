"""Kather 2016 in memory: real stroma, immune cells, debris, fat, glass, mucosa and tumour.

Resized copies of one tile, and tiles of one slide, stay on one side of every split.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.sparse.csgraph import connected_components
from sklearn.model_selection import StratifiedGroupKFold

from training import data
from training.data import CLASSES, LABELS

# Classes beside the six of EBHI-Seg, as a person reads them. Kather 2016 puts smooth muscle with
# stroma, and mucus and haemorrhage with debris.
TISSUE = {
    "stroma": "stroma or muscle",
    "lympho": "inflammation",
    "debris": "debris or mucus",
    "adipose": "fat",
    "empty": "empty glass",
}
TISSUES = tuple(TISSUE)
# In the order of the network's outputs, the six of EBHI-Seg first.
OUTPUT_NAMES = (*CLASSES.values(), *TISSUE.values())
OUTPUTS = len(OUTPUT_NAMES)
EPITHELIAL = len(LABELS)
# What Kather 2016 calls its epithelium.
EPITHELIUM = {"tumor": "adenocarcinoma", "mucosa": "normal"}
COMPLEX = "complex"  # stroma with single tumour cells or few immune cells: neither yes nor no
SIDE = 150  # pixels
MPP = 0.495  # micrometres a pixel
ALIKE = 0.93  # correlation of two tiles from which they are one
FOLDS = 4


@dataclass(frozen=True)
class KatherTiles:
    """`pixels` (n, 150, 150, 3) at 0.495 µm/px; `outputs` the class among OUTPUTS, -1 where it is
    complex; `groups` the tiles that belong together, `folds` the fold each is left out of."""

    paths: NDArray[np.str_]
    pixels: NDArray[np.uint8]
    labels: NDArray[np.str_]
    outputs: NDArray[np.int64]
    groups: NDArray[np.int64]
    folds: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)


def default_folder() -> Path:
    return data.default_folder().parent / "kather2016"


def load(folder: Path) -> KatherTiles:
    with (folder / "index.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    pixels = np.stack([_read(folder / row["path"]) for row in rows])
    labels = np.array([row["label"] for row in rows])
    groups = group_tiles(pixels, [row["slide_id"] for row in rows])
    return KatherTiles(
        np.array([row["path"] for row in rows]),
        pixels,
        labels,
        np.array([output_of(label) for label in labels], np.int64),
        groups,
        split(labels, groups),
    )


def _read(file: Path) -> NDArray[np.uint8]:
    """At 150 px: enlarged copies are brought back to their size."""
    with Image.open(file) as image:
        rgb = image.convert("RGB")
        if rgb.size != (SIDE, SIDE):
            rgb = rgb.resize((SIDE, SIDE), Image.Resampling.BILINEAR)
        return np.asarray(rgb, np.uint8)


def output_of(label: str) -> int:
    if label in EPITHELIUM:
        return LABELS.index(EPITHELIUM[label])
    return EPITHELIAL + TISSUES.index(label) if label in TISSUES else -1


def group_tiles(pixels: NDArray[np.uint8], slides: list[str]) -> NDArray[np.int64]:
    """Tiles that share a slide or show the same tissue, however turned."""
    small = pixels.reshape(len(pixels), 15, 10, 15, 10, 3).mean((2, 4, 5))
    turns = [
        np.rot90(tile, turn, (1, 2)) for tile in (small, small[:, :, ::-1]) for turn in range(4)
    ]
    plain = _standardised(small)
    alike = np.max([plain @ _standardised(turn).T for turn in turns], axis=0) > ALIKE
    names = np.array(slides)
    same_slide = (names[:, None] == names[None]) & (names != "")[:, None]
    return np.asarray(connected_components(alike | same_slide)[1], np.int64)


def _standardised(tiles: NDArray[np.float64]) -> NDArray[np.float64]:
    flat = tiles.reshape(len(tiles), -1)
    flat = flat - flat.mean(1, keepdims=True)
    return np.asarray(flat / (np.linalg.norm(flat, axis=1, keepdims=True) + 1e-9))


def split(labels: NDArray[np.str_], groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """The fold of each tile: groups whole, labels spread evenly."""
    folds = np.empty(len(labels), np.int64)
    parts = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    for fold, (_, rows) in enumerate(parts.split(np.zeros(len(labels)), labels, groups)):
        folds[rows] = fold
    return folds
