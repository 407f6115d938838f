"""What is tried without labels, and how it is judged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from healer.evaluation.calibrate import sigmoid
from training import adapt
from training.adapt import Home, Place


def margins(rng: np.random.Generator, count: int, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Log-odds at even prior, and the truth behind them."""
    truth = rng.random(count) < share
    return np.where(truth, 2.0, -2.0) + rng.normal(0, 2, count), truth


@pytest.fixture
def place() -> Place:
    rng = np.random.default_rng(0)
    home = Home.of(*margins(rng, 4000, 0.5))
    here, truth = margins(rng, 4000, 0.1)
    return Place("elsewhere", home, here, here, truth)


def test_expectation_maximisation_finds_the_share_of_cancer(place: Place) -> None:
    found = adapt.by_prior(place)
    assert np.mean(found) == pytest.approx(0.1, abs=0.02)
    plain = adapt.figures(place, adapt.as_it_is(place))
    assert adapt.figures(place, found)["ece"] < plain["ece"] / 3


def test_a_prior_that_is_right_changes_nothing() -> None:
    probabilities = sigmoid(margins(np.random.default_rng(1), 20000, 0.5)[0])
    assert np.abs(adapt.new_prior(probabilities, 0.5) - probabilities).max() < 0.03


def test_matching_quantiles_imposes_the_share_of_home(place: Place) -> None:
    assert np.mean(adapt.by_quantiles(place)) == pytest.approx(0.5, abs=0.05)


def test_recolouring_gives_the_moments_of_home() -> None:
    rng = np.random.default_rng(0)
    here = rng.normal((0.2, 0.5, 0.3), (0.05, 0.1, 0.02), (5000, 3))
    home = rng.normal((0.4, 0.6, 0.2), (0.1, 0.05, 0.05), (5000, 3))
    recolour = adapt.Recolouring.fitted(here, home)
    moved = (here - recolour.here) @ recolour.turn + recolour.home
    assert np.allclose(moved.mean(0), home.mean(0))
    assert np.allclose(np.cov(moved.T), np.cov(home.T))


def test_recolouring_to_itself_changes_no_tile() -> None:
    tile = np.random.default_rng(0).integers(60, 230, (64, 64, 3), dtype=np.uint8)
    own = adapt.densities([tile])
    changed = adapt.Recolouring.fitted(own, own)(tile)
    assert np.abs(changed.astype(int) - tile).max() <= 1


def test_a_scanner_changes_every_tile_alike() -> None:
    tile = np.random.default_rng(0).integers(60, 230, (64, 64, 3), dtype=np.uint8)
    first, again = adapt.scanned(tile, 700), adapt.scanned(tile, 700)
    assert (first == again).all()
    assert (first != tile).any()


def test_the_table_has_a_row_for_each_place_and_method(place: Place, tmp_path: Path) -> None:
    file = tmp_path / "adapt.json"
    adapt.write(adapt.measure([place]), file)
    lines = adapt.table(file).splitlines()
    assert len(lines) == 2 + len(adapt.METHODS)
    assert lines[2].startswith("| elsewhere | as it is |")
