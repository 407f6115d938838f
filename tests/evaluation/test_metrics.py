from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from healer.evaluation import metrics
from healer.evaluation.metrics import Scored


def scored(truth: list[bool], margins: list[float], answers: list[str] | None = None) -> Scored:
    values = np.array(margins, float)
    probabilities = 1 / (1 + np.exp(-values))
    return Scored(
        truth=np.array(truth, bool),
        margins=values,
        probabilities=probabilities,
        answers=np.array(answers or ["yes" if p >= 0.5 else "no" for p in probabilities], np.str_),
        labels=np.array(["tumour" if yes else "rest" for yes in truth], np.str_),
        cases=np.array([f"case {at}" for at in range(len(truth))], np.str_),
    )


def drawn(count: int, seed: int = 0) -> Scored:
    rng = np.random.default_rng(seed)
    truth = rng.random(count) < 0.4
    return scored(truth.tolist(), (rng.normal(size=count) + 1.5 * truth).tolist())


def test_the_figures_are_scikit_learns() -> None:
    tiles = drawn(400)
    values = metrics.measured(tiles)
    predicted = tiles.answers == "yes"
    assert values["auroc"] == pytest.approx(sk.roc_auc_score(tiles.truth, tiles.margins))
    assert values["average_precision"] == pytest.approx(
        sk.average_precision_score(tiles.truth, tiles.margins)
    )
    assert values["brier"] == pytest.approx(np.mean((tiles.probabilities - tiles.truth) ** 2))
    assert values["balanced_accuracy"] == pytest.approx(
        (np.mean(predicted[tiles.truth]) + np.mean(~predicted[~tiles.truth])) / 2
    )


def test_sensitivity_at_95_specificity_by_hand() -> None:
    """Twenty no at 0…19, so one may lie above the cut: the yes at 18.5 and 30 do, 5 does not."""
    truth = [False] * 20 + [True] * 4
    margins = [*map(float, range(20)), 5.0, 18.5, 30.0, 40.0]
    values = metrics.measured(scored(truth, margins))
    assert values["sensitivity_at_95_specificity"] == pytest.approx(3 / 4)
    assert values["specificity_at_95_sensitivity"] == pytest.approx(5 / 20)


@given(st.lists(st.tuples(st.booleans(), st.integers(-4, 4)), min_size=4, max_size=60))
def test_the_rates_are_the_best_any_cut_reaches(pairs: list[tuple[bool, int]]) -> None:
    truth = np.array([yes for yes, _ in pairs])
    margins = np.array([margin for _, margin in pairs], float)
    if truth.all() or not truth.any():
        return
    cuts = [*sorted(set(margins.tolist())), np.inf]
    rates = [(np.mean(margins[truth] >= c), np.mean(margins[~truth] < c)) for c in cuts]
    found = metrics.ranked(truth, margins)
    assert found["sensitivity_at_95_specificity"] == pytest.approx(
        max(hit for hit, spared in rates if spared >= 0.95)
    )
    assert found["specificity_at_95_sensitivity"] == pytest.approx(
        max(spared for hit, spared in rates if hit >= 0.95)
    )


def test_balanced_accuracy_leaves_out_what_was_not_answered() -> None:
    tiles = scored(
        [True, True, False, False], [3, -3, 3, -3], ["yes", "indeterminate", "indeterminate", "no"]
    )
    assert metrics.measured(tiles)["balanced_accuracy"] == 1.0
    assert metrics.measured(tiles)["indeterminate"] == 0.5


def test_ece_by_hand() -> None:
    """Two bins: 0.2 was right 0 of 2 times, 0.9 was right 1 of 2."""
    truth, predicted = np.array([False, False, True, False]), np.array([0.2, 0.2, 0.9, 0.9])
    assert metrics.calibration_error(truth, predicted, bins=2) == pytest.approx(
        0.5 * 0.2 + 0.5 * 0.4
    )


def test_ece_of_a_calibrated_constant_is_nought_in_any_order() -> None:
    truth = np.array([True] * 30 + [False] * 70)
    predicted = np.full(100, 0.3)
    assert metrics.calibration_error(truth, predicted) == pytest.approx(0)
    assert metrics.calibration_error(truth[::-1], predicted) == pytest.approx(0)


def test_ece_of_calibrated_probabilities_is_small_and_of_overconfident_ones_is_not() -> None:
    rng = np.random.default_rng(1)
    predicted = rng.random(20_000)
    truth = rng.random(20_000) < predicted
    assert metrics.calibration_error(truth, predicted) < 0.015
    assert metrics.calibration_error(truth, np.where(predicted > 0.5, 0.99, 0.01)) > 0.2


@given(st.lists(st.floats(0, 1), min_size=1, max_size=80))
def test_bins_hold_equal_masses_where_nothing_is_tied(values: list[float]) -> None:
    predicted = np.array(values)
    where = metrics.bins_of(predicted)
    assert 0 <= where.min() <= where.max() < metrics.BINS
    if len(set(values)) == len(values):
        counts = np.bincount(where, minlength=metrics.BINS)
        assert counts.max() - counts.min() <= 1
    for value in values:
        assert len(set(where[predicted == value].tolist())) == 1


def test_risk_and_coverage_by_hand() -> None:
    truth, predicted = np.array([True, False, True, False]), np.array([0.9, 0.2, 0.4, 0.3])
    coverage, risk = metrics.risk_coverage(truth, predicted, 0.5)
    assert coverage.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert risk.tolist() == [0, 0, 0, 0.25]


def test_the_equally_sure_are_withheld_together() -> None:
    truth, predicted = np.array([True, False, False]), np.full(3, 0.8)
    coverage, risk = metrics.risk_coverage(truth, predicted, 0.5)
    assert coverage.tolist() == [1.0]
    assert risk.tolist() == [pytest.approx(2 / 3)]


def test_one_class_only_gives_a_reason_in_place_of_a_number() -> None:
    figures = metrics.measure(scored([True] * 5, [1.0, 2, 3, 4, 5]), resamples=20)
    assert figures["auroc"].value is None
    assert figures["auroc"].reason == "every tile is yes"
    assert figures["balanced_accuracy"].value is None
    assert figures["brier"].value is not None


def test_no_tile_at_all_gives_reasons_only() -> None:
    figures = metrics.measure(scored([], []), resamples=20)
    assert {figure.reason for figure in figures.values()} == {"no tile was answered"}


def test_one_case_has_no_interval() -> None:
    tiles = drawn(30)
    alone = Scored(**{**vars(tiles), "cases": np.full(30, "one")})
    figure = metrics.measure(alone, resamples=20)["auroc"]
    assert figure.value is not None
    assert (figure.low, figure.reason) == (None, "one case only")


def test_all_answers_withheld_leaves_no_balanced_accuracy() -> None:
    tiles = scored([True, False], [1, -1], ["indeterminate"] * 2)
    figure = metrics.measure(tiles, resamples=20)["balanced_accuracy"]
    assert figure.value is None
    assert "only one class" in str(figure.reason)


def test_an_interval_holds_its_value() -> None:
    for figure in metrics.measure(drawn(300), resamples=200).values():
        assert figure.value is not None
        if figure.value > 0:
            assert figure.low is not None
            assert figure.high is not None
            assert figure.low <= figure.value + 0.03
            assert figure.high >= figure.value - 0.03


def test_cancer_against_each_class() -> None:
    tiles = scored([True, True, False, False], [2.0, 3.0, 1.0, 2.5])
    named = Scored(**{**vars(tiles), "labels": np.array(["t", "t", "far", "near"])})
    found = metrics.against_each_class(named, resamples=50)
    assert found["far"].value == 1.0
    assert found["near"].value == 0.5


def test_confusion_counts_every_answer_by_class() -> None:
    found = metrics.confusion(["a", "a", "b"], ["yes", "refused", "no"])
    assert found["a"] == {"yes": 1, "no": 0, "indeterminate": 0, "refused": 1}
    assert found["b"]["no"] == 1
