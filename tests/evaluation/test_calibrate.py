from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from healer.engines.base import Answer, Evidence
from healer.errors import NotCalibratable
from healer.evaluation.calibrate import (
    fit_calibration,
    operating_points,
    platt,
    sigmoid,
    temperature,
)
from healer.screening.calibration import Binding, Calibration
from healer.screening.calibration import Fitted as FittedOn
from healer.screening.verdict import decide

Reals = NDArray[np.float64]


def drawn(
    slope: float, intercept: float, count: int = 20_000, seed: int = 0
) -> tuple[Reals, NDArray[np.bool_]]:
    rng = np.random.default_rng(seed)
    margins = rng.normal(0, 4, count)
    return margins, rng.random(count) < sigmoid(slope * margins + intercept)


@pytest.mark.parametrize(("slope", "intercept"), [(1.0, 0.0), (0.4, 1.2), (2.5, -3.0), (0.02, 0.1)])
def test_a_known_slope_and_intercept_are_found_again(slope: float, intercept: float) -> None:
    found = platt(*drawn(slope, intercept))
    assert found.slope == pytest.approx(slope, rel=0.05, abs=0.01)
    assert found.intercept == pytest.approx(intercept, abs=0.12)


def test_the_scale_of_the_margin_does_not_matter() -> None:
    margins, truth = drawn(1.0, 0.5)
    first, second = platt(margins, truth), platt(1000 * margins, truth)
    assert second.slope == pytest.approx(first.slope / 1000, rel=1e-4)


def test_temperature_has_no_intercept() -> None:
    found = temperature(*drawn(0.5, 0.0))
    assert found.intercept == 0
    assert 1 / found.slope == pytest.approx(2, rel=0.05)


def test_classes_that_part_cleanly_still_have_a_finite_slope() -> None:
    margins = np.concatenate([np.linspace(-3, -1, 40), np.linspace(1, 3, 40)])
    found = platt(margins, margins > 0)
    assert 0 < found.slope < 100
    assert 0.9 < float(found.probabilities(np.array([3.0]))[0]) < 1


def test_a_model_worse_than_chance_is_refused() -> None:
    margins, truth = drawn(1.0, 0.0, count=500)
    with pytest.raises(NotCalibratable, match="no better than chance"):
        platt(-margins, truth)


def test_a_margin_that_never_changes_is_refused() -> None:
    with pytest.raises(NotCalibratable):
        platt(np.zeros(100), np.arange(100) < 40)


def cases(count: int) -> NDArray[np.str_]:
    return np.array([f"case {at // 10}" for at in range(count)])


def test_too_few_of_either_answer_are_refused() -> None:
    margins, truth = drawn(1.0, 0.0, count=60)
    with pytest.raises(NotCalibratable, match="3 tiles are yes"):
        fit_calibration(margins, np.arange(60) < 3, cases(60))
    with pytest.raises(NotCalibratable, match="two cases"):
        fit_calibration(margins, truth, np.full(60, "one"))


def test_quality_is_measured_on_cases_left_out_and_platt_mends_a_bad_scale() -> None:
    margins, truth = drawn(0.3, -1.0, count=4000)
    found = fit_calibration(margins, truth, cases(4000))
    assert found.quality["platt"]["ece"] < 0.03
    assert found.quality["as it comes"]["ece"] > 0.1
    assert found.quality["platt"]["log_loss"] < found.quality["temperature"]["log_loss"]
    assert found.verdicts["yes_called_no"] == pytest.approx(0.05, abs=0.02)
    assert found.verdicts["no_called_yes"] == pytest.approx(0.05, abs=0.02)


def test_batch_calibration_takes_an_offset_away_without_labels() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random(4000) < 0.5
    margins = np.where(truth, 2.0, -2.0) + rng.normal(0, 2, 4000) + 5
    found = fit_calibration(margins, truth, cases(4000))
    assert found.quality["batch"]["brier"] < found.quality["as it comes"]["brier"] / 2
    assert found.quality["batch"]["brier"] < found.quality["temperature"]["brier"]


def decided(probability: float, lower: float, upper: float) -> Answer:
    """What the service would say, through its own rule and its own record."""
    held = Calibration(
        binding=Binding(
            engine="e",
            model_id="m",
            revision="r",
            adapter=None,
            dtype="d",
            quantization="q",
            preprocessing_id="p",
            prompt_id="p",
        ),
        slope=1.0,
        intercept=0.0,
        lower=lower,
        upper=upper,
        fitted_on=FittedOn(dataset="d", tiles=1, positives=1, cases=1),
    )
    return decide(Evidence(margin=math.log(probability / (1 - probability))), held).answer


PROBABILITIES = st.floats(0.001, 0.999)


@given(
    st.lists(PROBABILITIES, min_size=1, max_size=60),
    st.lists(PROBABILITIES, min_size=1, max_size=60),
)
@settings(max_examples=300)
def test_both_promises_hold_on_the_tiles_fitted_on(yes: list[float], no: list[float]) -> None:
    probabilities = np.array(yes + no)
    truth = np.arange(len(probabilities)) < len(yes)
    points = operating_points(probabilities, truth)
    assert 0 <= points.lower <= points.upper <= 1
    called_yes = probabilities >= points.upper
    called_no = ~called_yes & (probabilities <= points.lower)
    assert np.mean(called_yes[~truth]) <= 0.05 + 1e-12
    assert np.mean(called_no[truth]) <= 0.05 + 1e-12


@given(
    st.lists(PROBABILITIES, min_size=1, max_size=40, unique=True),
    st.lists(PROBABILITIES, min_size=1, max_size=40, unique=True),
)
def test_no_observed_cut_would_withhold_less(yes: list[float], no: list[float]) -> None:
    probabilities = np.array(yes + no)
    truth = np.arange(len(probabilities)) < len(yes)
    points = operating_points(probabilities, truth)
    if points.lower < points.upper:
        for cut in probabilities[probabilities < points.upper]:
            assert np.mean(probabilities[~truth] >= cut) > 0.05
        for cut in probabilities[probabilities > points.lower]:
            assert np.mean(probabilities[truth] <= cut) > 0.05


def test_cuts_that_cross_become_one_between() -> None:
    probabilities = np.concatenate([np.linspace(0.8, 0.9, 40), np.linspace(0.1, 0.2, 40)])
    points = operating_points(probabilities, np.arange(80) < 40)
    assert points.lower == points.upper
    assert 0.2 < points.upper < 0.8


def test_the_service_gives_the_verdicts_the_fit_promised() -> None:
    margins, truth = drawn(0.6, 0.2, count=600)
    found = fit_calibration(margins, truth, cases(600))
    answers_given = [
        decided(p, found.points.lower, found.points.upper)
        for p in found.fit.probabilities(margins).tolist()
    ]
    wrong_yes = sum(a is Answer.YES and not t for a, t in zip(answers_given, truth, strict=True))
    wrong_no = sum(a is Answer.NO and bool(t) for a, t in zip(answers_given, truth, strict=True))
    assert wrong_yes <= 0.05 * (~truth).sum() + 1
    assert wrong_no <= 0.05 * truth.sum() + 1


def test_points_hold_in_the_hardest_place_too() -> None:
    rng = np.random.default_rng(4)
    truth = np.arange(600) % 2 == 0
    home = rng.normal(np.where(truth, 2.0, -2.0), 1.0)
    harder = home + rng.normal(-0.8, 1.2, 600)
    alone = fit_calibration(home, truth, cases(600))
    found = fit_calibration(home, truth, cases(600), [harder])
    assert found.fit == alone.fit
    assert found.points.lower < alone.points.lower
    for margins in (home, harder):
        probabilities = found.fit.probabilities(margins)
        assert np.mean(probabilities[truth] > found.points.lower) >= 0.95
        assert np.mean(probabilities[~truth] < found.points.upper) >= 0.95
