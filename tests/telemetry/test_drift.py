"""Drift: with numbers whose distances are known, and with real tiles as other laboratories'."""

from __future__ import annotations

import csv
import math
import random
from pathlib import Path

import numpy as np
import pytest

from healer.evaluation.shifts import NONE, SHIFTS
from healer.images.decode import decode
from healer.images.tile import Tile
from healer.quality.gate import Gate
from healer.screening.calibration import MARGIN, Reference, reference_beside
from healer.screening.opening import SHIPPED
from healer.telemetry.drift import ALERT_PSI, LEAST, WINDOW, Drift, Shift
from tests.conftest import REPO
from tests.fake_engine import FakeEngine

ANSWERS = REPO / "training" / "answers.csv"  # out of fold: the path, its case, a margin by shift
GATE = Gate()


def reference() -> Reference:
    values = np.random.default_rng(0).normal(size=5000).tolist()
    made = Reference.of(FakeEngine.info, "normal", values, {})
    assert made is not None
    return made


def shift_of(values: list[float]) -> Shift:
    drift = Drift(reference())
    for value in values:
        drift.add({MARGIN: value})
    (shift,) = drift.shifts()
    return shift


def normal(mean: float, count: int = WINDOW) -> list[float]:
    found: list[float] = np.random.default_rng(1).normal(mean, size=count).tolist()
    return found


def test_too_few_answers_say_nothing() -> None:
    assert shift_of(normal(3, LEAST - 1)) == Shift(MARGIN, LEAST - 1, None, None)
    assert shift_of(normal(3, LEAST)).psi is not None


def test_the_same_distribution_stays_low() -> None:
    shift = shift_of(normal(0))
    assert shift.answers == WINDOW
    assert shift.psi is not None
    assert 0 <= shift.psi < 0.1
    assert shift.ks is not None
    assert 0 <= shift.ks < 0.08


def test_another_distribution_is_as_far_as_theory_says() -> None:
    """Two normals a deviation apart: PSI 1, as the symmetric Kullback-Leibler divergence, and a
    KS distance of 0.383; in ten bins somewhat less."""
    shift = shift_of(normal(1))
    assert shift.psi == pytest.approx(0.95, abs=0.15)
    assert shift.ks == pytest.approx(0.383, abs=0.05)


def test_one_far_off_is_finite() -> None:
    shift = shift_of([1e9] * WINDOW)
    assert shift.psi is not None
    assert ALERT_PSI < shift.psi < math.inf
    assert shift.ks == pytest.approx(0.9, abs=0.01)  # at the bins' edges


def test_what_was_long_ago_is_forgotten() -> None:
    shift = shift_of(normal(5) + normal(0))
    assert shift.psi is not None
    assert shift.psi < 0.1


def test_no_number_and_no_known_figure_are_left_out() -> None:
    drift = Drift(reference())
    drift.add({MARGIN: math.nan, "light": 1.0})
    drift.add({MARGIN: math.inf})
    assert [shift.answers for shift in drift.shifts()] == [0]


def shipped() -> Drift:
    return Drift(
        Reference.model_validate_json(reference_beside(SHIPPED).read_text(encoding="utf-8"))
    )


def rows(shift: str = NONE) -> list[dict[str, str]]:
    """Half of the cases, in an order that is always the same."""
    with ANSWERS.open(newline="", encoding="utf-8") as file:
        found = [row for row in csv.DictReader(file) if row["shift"] == shift]
    order = random.Random(0)  # noqa: S311 - an order, no secret
    cases = sorted({row["case_id"] for row in found})
    chosen = set(order.sample(cases, len(cases) // 2))
    half = [row for row in found if row["case_id"] in chosen]
    return order.sample(half, len(half))


def test_margins_of_half_the_cases_are_no_shift() -> None:
    drift = shipped()
    for row in rows()[:WINDOW]:
        drift.add({MARGIN: float(row["margin"])})
    (psi,) = (shift.psi for shift in drift.shifts() if shift.figure == MARGIN)
    assert psi is not None
    assert psi < 0.1


@pytest.mark.parametrize(
    ("shift", "moved"),
    [
        (NONE, set()),
        ("stain", {"light", "red_green", "blue_green"}),
        ("blur", {"detail", "tissue"}),
    ],
)
def test_real_tiles_alert_only_where_the_laboratory_changed(
    data_dir: Path, shift: str, moved: set[str]
) -> None:
    folder = data_dir / "ebhi-seg"
    if not folder.is_dir():
        pytest.skip("no EBHI-Seg here: HEALER_TEST_DATA lacks ebhi-seg/")
    drift = shipped()
    for row in rows()[:LEAST]:
        tile = decode((folder / row["path"]).read_bytes(), max_pixels=10**6)
        drift.add(GATE.assess(Tile(SHIFTS[shift](tile.pixels))).figures)
    fields = {one.figure: one.psi for one in drift.shifts() if one.psi is not None}
    assert len(fields) == 5
    assert {figure for figure, psi in fields.items() if psi > ALERT_PSI} == moved
