"""The calibration that ships, and that it is what the committed answers give."""

from __future__ import annotations

import numpy as np
import pytest

from healer.evaluation.shifts import NONE
from healer.screening.calibration import Calibration
from healer.screening.opening import SHIPPED
from training import calibration
from training.calibration import Place
from training.shipped import EBHI_SEG, KATHER_2016


def place(source: str, change: str, apart: float, cancers: int, others: int) -> Place:
    rng = np.random.default_rng(len(change) + cancers)
    truth = np.arange(cancers + others) < cancers
    margins = rng.normal(size=len(truth)) + np.where(truth, apart, -apart)
    labels = np.where(truth, "tumor", "stroma")
    names = [str(at) for at in range(len(truth))]
    return Place(source, change, margins, truth, labels, np.array(names), names)


def test_both_cuts_keep_their_promise_in_the_hardest_place() -> None:
    every = [
        place(EBHI_SEG, NONE, 3.0, 400, 600),
        place(EBHI_SEG, "blur", 1.0, 400, 600),
        place(KATHER_2016, NONE, 2.0, 40, 160),
    ]
    scaling, points = calibration.fit(every)
    for each in every:
        found = scaling.probabilities(each.margins)
        assert np.mean(found[each.truth] > points.lower) >= 0.95
        assert np.mean(found[~each.truth] < points.upper) >= 0.95


def test_few_tumours_weigh_as_much_as_many() -> None:
    """The slope lies between those of the two sources, however many tiles one has."""
    many, few = place(EBHI_SEG, NONE, 2.5, 2000, 2000), place(KATHER_2016, NONE, 0.8, 50, 50)
    both = calibration.platt([many, few]).slope
    assert calibration.platt([few]).slope < both < calibration.platt([many]).slope
    pooled = calibration.platt([many, place(EBHI_SEG, "other", 0.8, 50, 50)]).slope
    assert both < pooled


def test_the_shipped_calibration_is_what_the_committed_answers_give() -> None:
    shipped = Calibration.model_validate_json(SHIPPED.read_bytes())
    scaling, points = calibration.fit(calibration.places())
    assert shipped.slope == pytest.approx(scaling.slope, abs=1e-3)
    assert shipped.intercept == pytest.approx(scaling.intercept, abs=1e-3)
    assert (shipped.lower, shipped.upper) == pytest.approx((points.lower, points.upper), abs=1e-3)
    assert "kather2016" in shipped.fitted_on.in_words()


def test_what_is_neither_yes_nor_no_takes_no_part() -> None:
    every = calibration.places()
    assert {place.source for place in every} == {EBHI_SEG, KATHER_2016}
    assert not any("complex" in place.labels for place in every)
    (plain,) = (at for at in every if (at.source, at.change) == (KATHER_2016, NONE))
    assert (len(plain.truth), int(plain.truth.sum())) == (130, 23)


def test_a_calibration_of_one_laboratory_is_measured_on_the_other() -> None:
    every = calibration.places()
    home, away = (
        [place for place in every if place.source == source] for source in (EBHI_SEG, KATHER_2016)
    )
    figures = calibration.evidence(home, away)
    assert figures["auroc"] > 0.95
    assert figures["indeterminate"] < 0.12
    assert figures["ece"] < 0.08
