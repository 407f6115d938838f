"""Fitting unlikeness: what is left out, and how the threshold follows."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from healer.engines.builtin.engine import UNLIKE, Gaussians
from training import unlike
from training.unlike import Distanced, Known
from training.unlike_tiles import (
    EVERY,
    HOME,
    KATHER,
    KATHER_SIMULATED,
    KATHER_TIMES,
    KATHER_VIEWS,
    SAMPLES,
    SHIFTED,
    SIDES,
    SIMULATED,
    VIEWS,
)

MEMBERS, DIMENSIONS = 4, 8
TILES, OTHERS = 400, 40


@pytest.fixture(scope="module")
def given() -> Known:
    """EBHI-Seg around 0, Kather around 5, each slide's squares far from both."""
    rng = np.random.default_rng(0)

    def around(centre: float, count: int) -> np.ndarray:
        return rng.normal(centre, 1, (count, MEMBERS, DIMENSIONS)).astype(np.float32)

    sets = {name: around(0, TILES) for name in (HOME, VIEWS, SIMULATED)}
    sets |= {name: around(0, len(range(0, TILES, EVERY))) for name in SHIFTED}
    sets |= {KATHER: around(5, OTHERS), SAMPLES: around(5, 10)}
    sets |= {name: around(5, OTHERS * KATHER_TIMES) for name in (KATHER_VIEWS, KATHER_SIMULATED)}
    sets |= {f"{slide}-{side}": around(30, 9) for slide, sides in SIDES.items() for side in sides}
    return Known(
        sets,
        np.arange(TILES) % MEMBERS,
        np.arange(TILES) // 100,
        np.array(["tumor", "mucosa", "stroma", "lympho", "debris"] * 8),
        np.arange(OTHERS) % 4,
    )


def test_what_is_left_out_is_further_away(given: Known) -> None:
    tiles = given.features[KATHER]
    whole = unlike.fitted(given).distances(tiles)
    without = unlike.fitted(given, kather=np.zeros(OTHERS, bool)).distances(tiles)
    assert np.median(without) > 2 * np.median(whole)


def test_other_organs_are_warned_of_and_home_is_not(given: Known) -> None:
    # Classes that these labels lack would be measured on no tile.
    gaussians, rows = unlike.measure(given, ("stroma", "lympho", "debris"))
    shares = {row.title: row.unlike for row in rows}
    assert gaussians.threshold > 1
    assert shares["skin, squares of 150 px"] == 1
    assert all(row.unlike <= unlike.TOLERATED for row in rows if row.calm)


def test_the_threshold_leaves_two_in_a_hundred_of_the_worst_calm_set() -> None:
    calm = Distanced("calm", np.linspace(0, 1, 1001), calm=True)
    worse = Distanced("worse", np.linspace(0, 2, 1001), calm=True)
    other = Distanced("another organ", np.full(9, 5.0))
    threshold = unlike.threshold_of([calm, worse, other])
    assert threshold == 2.0
    assert np.mean(worse.distances > threshold - unlike.STEP) > unlike.TOLERATED


def test_it_ships_beside_its_network(given: Known, tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(b"a network")
    unlike.ship(unlike.fitted(given), tmp_path)
    card = unlike.sha256_of(tmp_path)
    assert Gaussians.read(tmp_path, card) is not None
    assert (tmp_path / UNLIKE).stat().st_size < 1_000_000


def test_the_table_marks_what_decides_the_threshold(tmp_path: Path) -> None:
    file = tmp_path / "unlike.json"
    row = {"title": "home", "tiles": 9, "median": 1.0, "unlike": 0.02, "calm": True}
    file.write_text(json.dumps({"threshold": 1.6, "sets": [row]}), encoding="utf-8")
    assert unlike.table(file).splitlines()[-1] == "| home * | 9 | 1.00 | 2.0% |"
