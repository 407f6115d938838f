from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from pydantic import ValidationError

from healer.engines.builtin.engine import BuiltinEngine
from healer.quality.gate import Gate
from healer.screening import calibration
from healer.screening.calibration import GATE_FIGURES, LEAST_TILES, MARGIN, Reference, Spread
from healer.screening.opening import SHIPPED, find_reference
from healer.screening.screener import known_tile
from healer.settings.loading import Settings
from tests.fake_engine import FakeEngine

INFO = FakeEngine.info
EVEN = np.linspace(-5, 5, 1000).tolist()


def test_bins_hold_equally_many() -> None:
    spread = Spread.of(EVEN)
    assert len(spread.edges) == 9
    assert spread.edges[4] == pytest.approx(0, abs=0.01)
    assert spread.shares == pytest.approx([0.1] * 10, abs=0.002)


def test_where_values_are_tied_bins_hold_what_they_hold() -> None:
    spread = Spread.of([0.0] * 90 + [1.0] * 10)
    assert spread.edges == (0.0, 0.1)  # the last between the two, where the quantile falls
    assert spread.shares == (0.0, 0.9, 0.1)


@pytest.mark.parametrize(
    ("edges", "shares"),
    [((1, 0), (0.5, 0.5, 0)), ((0,), (1,)), ((0,), (0.5, 0.6)), ((0,), (1.5, -0.5)), ((), (1,))],
)
def test_bins_that_do_not_fit_are_refused(
    edges: tuple[float, ...], shares: tuple[float, ...]
) -> None:
    with pytest.raises(ValidationError):
        Spread(edges=edges, shares=shares)


def test_too_few_tiles_are_no_reference() -> None:
    assert Reference.of(INFO, "mine", EVEN[: LEAST_TILES - 1], {}) is None


def test_figures_of_too_few_tiles_are_left_out() -> None:
    made = Reference.of(INFO, "mine", EVEN, {"light": EVEN, "detail": EVEN[:9]})
    assert made is not None
    assert set(made.figures) == {MARGIN, "light"}


def test_it_is_read_back_for_the_engine_it_is_of(tmp_path: Path) -> None:
    place = calibration.reference_beside(tmp_path / "mine.json")
    assert place.name == "mine.drift.json"
    made = Reference.of(INFO, "mine", EVEN, {})
    assert made is not None
    place.write_text(made.model_dump_json(), encoding="utf-8")
    assert calibration.load_reference(place, INFO) == made
    assert calibration.load_reference(place, replace(INFO, device="cuda")) == made
    assert calibration.load_reference(place, replace(INFO, revision="other")) is None


@pytest.mark.parametrize("content", [None, "", "{}", '{"format": 2}'])
def test_one_that_cannot_be_read_is_none(tmp_path: Path, content: str | None) -> None:
    place = tmp_path / "x.json"
    if content is not None:
        place.write_text(content, encoding="utf-8")
    assert calibration.load_reference(place, INFO) is None


def test_the_gate_measures_every_figure_of_it() -> None:
    assert set(GATE_FIGURES) <= Gate().assess(known_tile()).figures.keys()


def test_the_built_in_model_ships_with_its_own() -> None:
    engine = BuiltinEngine(threads=1)
    found = find_reference(Settings(_env_file=None), engine.info)
    engine.close()
    assert found is not None
    assert set(found.figures) == {MARGIN, *GATE_FIGURES}
    fitted_on = json.loads(SHIPPED.read_text(encoding="utf-8"))["fitted_on"]
    assert (found.dataset, found.tiles) == (fitted_on["dataset"], fitted_on["tiles"])
    assert find_reference(Settings(_env_file=None, calibration="off"), engine.info) is None
