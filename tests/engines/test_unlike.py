"""Unlikeness by features: its Gaussians, its file, and what the engine makes of both."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from healer.engines.builtin.engine import (
    CARD,
    MODEL_FOLDER,
    NETWORK,
    UNLIKE,
    BuiltinEngine,
    Gaussians,
    read_model_files,
)
from healer.errors.engine import ModelAltered
from healer.images.tile import Tile

MEMBERS, DIMENSIONS = 2, 6


def gaussians(threshold: float = 1.5) -> Gaussians:
    """Around 1, with a standard deviation of 2 in every direction."""
    return Gaussians(
        np.ones((MEMBERS, DIMENSIONS), np.float32),
        np.stack([np.eye(DIMENSIONS, dtype=np.float32) / 2] * MEMBERS),
        np.ones(MEMBERS, np.float32),
        threshold,
    )


def features(*values: float) -> np.ndarray:
    return np.stack([np.full((MEMBERS, DIMENSIONS), value, np.float32) for value in values])


def test_a_distance_is_in_standard_deviations() -> None:
    assert gaussians().distances(features(1, 3, -3)) == pytest.approx([0, 1, 2])


def test_the_unlikeness_of_several_squares_is_their_mean() -> None:
    found = gaussians().unlikeness(features(3, -3))
    assert found.measured == pytest.approx(1.5)
    assert found.threshold == 1.5


def test_what_is_written_is_read(tmp_path: Path) -> None:
    (tmp_path / UNLIKE).write_bytes(gaussians(1.7).to_bytes("abc"))
    found = Gaussians.read(tmp_path, "abc")
    assert found is not None
    assert found.threshold == 1.7
    assert found.distances(features(1, 3)) == pytest.approx([0, 1])


def test_that_of_another_network_is_refused(tmp_path: Path) -> None:
    (tmp_path / UNLIKE).write_bytes(gaussians().to_bytes("abc"))
    with pytest.raises(ModelAltered, match="another network"):
        Gaussians.read(tmp_path, "abd")


def test_without_its_file_the_engine_measures_none(tmp_path: Path) -> None:
    for name in (NETWORK, CARD):
        shutil.copy(MODEL_FOLDER / name, tmp_path / name)
    engine = BuiltinEngine(threads=1, folder=tmp_path)
    (evidence,) = engine.score([Tile(np.full((64, 64, 3), 200, np.uint8))])
    assert evidence.unlikeness is None


@pytest.fixture(scope="module")
def shipped() -> BuiltinEngine:
    return BuiltinEngine(threads=1)


def unlikeness(engine: BuiltinEngine, pixels: np.ndarray) -> float:
    (evidence,) = engine.score([Tile(pixels)])
    assert evidence.unlikeness is not None
    return evidence.unlikeness.measured / evidence.unlikeness.threshold


def test_noise_is_unlike_what_the_shipped_network_learnt_from(shipped: BuiltinEngine) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (224, 224, 3), dtype=np.uint8)
    assert unlikeness(shipped, noise) > 1


def test_a_training_tile_is_not(shipped: BuiltinEngine, data_dir: Path) -> None:
    file = min((data_dir / "ebhi-seg" / "adenocarcinoma").glob("*.jpg"))
    with Image.open(file) as image:
        assert unlikeness(shipped, np.asarray(image.convert("RGB"))) < 1


def test_the_file_is_of_the_shipped_network_and_small() -> None:
    assert Gaussians.read(MODEL_FOLDER, read_model_files().sha256) is not None
    assert (MODEL_FOLDER / UNLIKE).stat().st_size <= 1_000_000
