"""The built-in network in 8-bit integers, beside the one in float32."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from healer.engines.builtin import INT8_FOLDER, MODEL_FOLDER, SPEC, runtime
from healer.engines.builtin.engine import (
    CARD,
    NETWORK,
    NO_VNNI,
    UNLIKE,
    BuiltinEngine,
    Gaussians,
    open_engine,
    read_model_files,
)
from healer.images.tile import Tile
from healer.questions.colorectal import COLORECTAL_CANCER
from healer.screening.calibration import CALIBRATION_FILE, load_calibration
from healer.settings.loading import Settings


def settings(quantization: str) -> Settings:
    return Settings(_env_file=None, threads=1, quantization=quantization)


@pytest.fixture(scope="module")
def integers() -> BuiltinEngine:
    return BuiltinEngine(1, INT8_FOLDER)


@pytest.mark.parametrize(
    ("quantization", "vnni", "folder"),
    [
        ("auto", True, MODEL_FOLDER),
        ("none", True, MODEL_FOLDER),
        ("8bit", True, INT8_FOLDER),
        ("8bit", False, MODEL_FOLDER),
    ],
)
def test_it_is_taken_where_it_is_chosen_and_faster(
    quantization: str, vnni: bool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runtime, "multiplies_bytes", lambda: vnni)
    monkeypatch.setitem(sys.modules, "openvino", None)
    chosen = settings(quantization)
    assert SPEC.calibration_folder(chosen) == folder
    engine = open_engine(chosen, COLORECTAL_CANCER)
    engine.close()
    assert engine.info.quantization == ("int8" if folder == INT8_FOLDER else "none")
    assert engine.info.revision == read_model_files(folder).sha256[:12]
    assert engine.info.warnings == ((NO_VNNI,) if quantization == "8bit" and not vnni else ())


def test_its_calibration_and_distances_are_its_own(integers: BuiltinEngine) -> None:
    assert load_calibration(INT8_FOLDER / CALIBRATION_FILE, integers.info).slope > 0
    assert Gaussians.read(INT8_FOLDER, read_model_files(INT8_FOLDER).sha256) is not None


def test_both_together_are_at_most_12_megabytes() -> None:
    files = [folder / name for folder in (MODEL_FOLDER, INT8_FOLDER) for name in (NETWORK, UNLIKE)]
    assert sum(file.stat().st_size for file in files) <= 12_000_000


def test_it_is_of_the_network_that_ships() -> None:
    card = (INT8_FOLDER / CARD).read_text(encoding="utf-8")
    assert f'"quantised_from": "{read_model_files().sha256}"' in card


def test_a_tile_scores_the_same_alone_and_in_any_batch(integers: BuiltinEngine) -> None:
    rng = np.random.default_rng(0)
    tiles = [Tile(rng.integers(0, 256, (150, 150 + at, 3), dtype=np.uint8)) for at in range(7)]
    together = [each.margin for each in integers.score(tiles)]
    alone = [integers.score([tile])[0].margin for tile in tiles]
    assert np.allclose(together, alone, atol=1e-4)


def test_it_answers_as_the_float32_network_does(integers: BuiltinEngine, data_dir: Path) -> None:
    floats = BuiltinEngine(1)
    folder = data_dir / "ebhi-seg"
    with (folder / "index.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))[::70]
    margins = []
    for row in rows:
        with Image.open(folder / row["path"]) as image:
            tile = Tile(np.asarray(image.convert("RGB")))
        margins.append([engine.score([tile])[0].margin for engine in (floats, integers)])
    floats.close()
    moved = np.abs(np.subtract(*np.array(margins).T))
    assert 0 < np.median(moved) < 0.1
    assert moved.max() < 0.5
