"""The share of cancer that the calibration is fitted to."""

from __future__ import annotations

import numpy as np
import pytest

from healer.evaluation.metrics import calibration_error
from training import calibration, card, prevalence
from training.prevalence import MET, error
from training.shipped import EBHI_SEG, KATHER_2016


def test_evenly_weighted_it_is_the_usual_error() -> None:
    rng = np.random.default_rng(0)
    found = rng.random(500)
    truth = rng.random(500) < found**2
    weighted = prevalence.weighted_error(truth, found, np.ones(500))
    assert weighted == pytest.approx(calibration_error(truth, found), abs=1e-9)


def test_the_share_that_ships_is_the_tenth_whose_worst_error_is_least() -> None:
    every = calibration.places()
    home, away = (
        [place for place in every if place.source == source] for source in (EBHI_SEG, KATHER_2016)
    )
    pairs = ((home, away), (away, home))

    def worst(fitted: float) -> float:
        return max(error(*pair, fitted, met) for pair in pairs for met in MET)

    tenths = [round(0.1 * at, 1) for at in range(2, 7)]
    assert min(tenths, key=worst) == calibration.PREVALENCE


def test_the_card_shows_it() -> None:
    text = card.CARD.read_text(encoding="utf-8")
    shown = card.rendered(text, prevalence.table(), prevalence.BEGIN, prevalence.END)
    assert shown == text, "run: python -m training card"
