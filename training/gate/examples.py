"""What the gate is fitted on and measured by: pictures with the kind and the source of each."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from training.gate import cameras, generate, laboratories, stains
from training.gate.pictures import Picture

Pixels = NDArray[np.uint8]
Random = np.random.Generator
EMPTY = {"EMPTY", "BACK"}
CROPS = {"illustration": 2, "object on white": 4, "surface": 10, "radiograph": 6}
CROPS_OF_OTHERS = 24


@dataclass(frozen=True)
class Example:
    """`kind` names a row of the table; `source` is never parted by a split."""

    kind: str
    source: str
    histology: bool
    pixels: Pixels


def ebhi(folder: Path) -> list[Example]:
    with (folder / "index.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        Example(row["label"], row["case_id"], True, _read(folder / row["path"])) for row in rows
    ]


def samples(folder: Path) -> list[Example]:
    """The one-off tiles; those of bare glass are not histology."""
    with (folder / "index.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    return [
        Example(
            row["label"],
            row["file"],
            row["label"].upper() not in EMPTY,
            _read(folder / row["file"]),
        )
        for row in rows
    ]


def _read(path: Path) -> Pixels:
    return np.asarray(Image.open(path).convert("RGB"))


def elsewhere(tiles: list[Example], each: int, random: Random) -> Iterator[Example]:
    """Each tile `each` times as another laboratory would show it."""
    for tile in tiles:
        for _ in range(each):
            pixels, draw = tile.pixels, random.random()
            if draw < 0.15:
                other = tiles[int(random.integers(len(tiles)))].pixels
                pixels = stains.like(pixels, other, random.uniform(0.2, 0.7))
            elif draw < 0.25:
                pixels = stains.normalised(pixels)
            yield Example(tile.kind, tile.source, True, laboratories.seen_elsewhere(pixels, random))


def empty_elsewhere(tiles: list[Example], each: int, random: Random) -> Iterator[Example]:
    """Bare glass under other lamps and codecs."""
    for tile in tiles:
        for _ in range(each):
            pixels = cameras.compressed(
                cameras.lit(tile.pixels, random), int(random.integers(50, 96))
            )
            yield Example("bare glass", tile.source, False, pixels)


def overviews(tiles: list[Example], count: int, random: Random) -> Iterator[Example]:
    """Low magnification: tiles of one case side by side, then reduced."""
    cases = defaultdict(list)
    for tile in tiles:
        cases[tile.source].append(tile.pixels)
    large = [case for case, found in sorted(cases.items()) if len(found) >= 4]
    for _ in range(count):
        case = large[int(random.integers(len(large)))]
        side = int(random.integers(2, 5))
        chosen = random.integers(len(cases[case]), size=(side, side))
        whole = np.vstack([np.hstack([cases[case][at] for at in row]) for row in chosen])
        size = int(random.integers(224, 500))
        image = Image.fromarray(whole).resize((size, size), Image.Resampling.BOX)
        yield Example(
            "overview", case, True, laboratories.seen_elsewhere(np.asarray(image), random)
        )


def crops(pictures: list[Picture], random: Random) -> Iterator[Example]:
    """Squares of a third to all of each picture, at many sizes."""
    for picture in pictures:
        for at in range(CROPS.get(picture.kind, CROPS_OF_OTHERS)):
            pixels = picture.pixels if at == 0 else _square(picture.pixels, random)
            if pixels.std(axis=(0, 1)).max() < 3:
                continue  # a blank corner: counted with flat colours
            yield Example(picture.kind, picture.source, False, pixels)


def _square(pixels: Pixels, random: Random) -> Pixels:
    height, width = pixels.shape[:2]
    side = max(64, int(min(height, width) * random.uniform(0.3, 1)))
    side = min(side, height, width)
    top, left = int(random.integers(height - side + 1)), int(random.integers(width - side + 1))
    size = int(random.choice([150, 224, 256, 320, 448]))
    cut = Image.fromarray(pixels[top : top + side, left : left + side])
    return np.asarray(cut.resize((size, size), Image.Resampling.BICUBIC))


def coloured_like_tissue(
    pictures: list[Picture], tiles: list[Example], count: int, random: Random
) -> Iterator[Example]:
    """Photographs and surfaces in a real tile's colours: nothing but texture gives them away."""
    chosen = [p for p in pictures if p.kind in {"wallpaper", "photograph", "surface"}]
    for _ in range(count):
        picture = chosen[int(random.integers(len(chosen)))]
        pixels = _square(picture.pixels, random)
        if pixels.std(axis=(0, 1)).max() < 12:
            continue
        tile = tiles[int(random.integers(len(tiles)))].pixels
        yield Example("coloured like tissue", picture.source, False, stains.like(pixels, tile))


def perturbed(tiles: list[Example]) -> Iterator[Example]:
    """Each tile under each of `laboratories.PERTURBATIONS`: the rows of the table of robustness."""
    for kind, change in laboratories.PERTURBATIONS.items():
        for tile in tiles:
            yield Example(kind, tile.source, True, change(tile.pixels))


def drawn(each: int, random: Random) -> Iterator[Example]:
    for kind in generate.KINDS:
        for at in range(each):
            yield Example(kind, f"{kind} {at}", False, generate.drawn(kind, random))


def altered(tiles: list[Example], each: int, random: Random) -> Iterator[Example]:
    """Real tiles in stains other than H&E, and spoilt ones."""
    for kind in (*stains.OTHER_STAINS, *stains.SPOILT):
        for _ in range(each):
            tile = tiles[int(random.integers(len(tiles)))]
            if kind in stains.SPOILT:
                pixels = stains.SPOILT[kind](tile.pixels, random)
            else:
                pixels = stains.other_stain(tile.pixels, kind, random)
            yield Example(kind, tile.source, False, pixels)
