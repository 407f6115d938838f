"""The second source: its classes, its groups, its folds."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from training import kather
from training.kather import KatherTiles


def test_tumour_and_mucosa_are_classes_of_the_first_source() -> None:
    assert kather.OUTPUT_NAMES[kather.output_of("tumor")] == "adenocarcinoma"
    assert kather.OUTPUT_NAMES[kather.output_of("mucosa")] == "normal mucosa"
    assert kather.OUTPUT_NAMES[kather.output_of("lympho")] == "inflammation"
    assert kather.output_of(kather.COMPLEX) == -1


def test_one_slide_is_one_group_and_so_are_copies_however_turned() -> None:
    rng = np.random.default_rng(0)
    tiles = rng.integers(0, 256, (4, kather.SIDE, kather.SIDE, 3), dtype=np.uint8)
    # Large patches, as tissue has: they outlast a resize.
    tiles = np.repeat(np.repeat(tiles[:, :10, :10], 15, axis=1), 15, axis=2)
    tiles[2] = np.rot90(tiles[0])
    groups = kather.group_tiles(tiles, ["A", "B", "", "B"])
    assert groups[0] == groups[2]
    assert groups[1] == groups[3]
    assert groups[0] != groups[1]


def test_tiles_without_a_slide_are_not_one_group() -> None:
    tiles = np.random.default_rng(0).integers(0, 256, (2, 150, 150, 3), dtype=np.uint8)
    assert len(set(kather.group_tiles(tiles, ["", ""]).tolist())) == 2


def test_no_group_is_parted(drawn_kather: KatherTiles, data_dir: Path) -> None:
    real = kather.load(data_dir / "kather2016")
    assert len(real) == 157
    for tiles in (drawn_kather, real):
        for group in np.unique(tiles.groups):
            assert len(np.unique(tiles.folds[tiles.groups == group])) == 1
        for label in np.unique(tiles.labels):
            assert len(np.unique(tiles.folds[tiles.labels == label])) == kather.FOLDS
