from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from healer.engines.base import Answer, Evidence
from healer.errors import ModelUnsound
from healer.images.tile import Tile
from healer.screening.calibration import sigmoid
from healer.screening.screener import Screener, known_tile, self_test
from healer.screening.verdict import LEAST_MASS, decide
from tests.fake_engine import FakeEngine


class ScriptedEngine(FakeEngine):
    """Gives the same evidence whatever it is shown."""

    def __init__(self, evidence: Evidence) -> None:
        self.evidence = evidence

    def score(self, tiles: Sequence[Tile]) -> Sequence[Evidence]:
        return [self.evidence] * len(tiles)


def plain(colour: tuple[int, int, int]) -> Tile:
    return Tile(np.full((8, 8, 3), colour, np.uint8))


@given(st.floats(-1e6, 1e6))
def test_the_probability_is_one_and_rises_with_the_margin(margin: float) -> None:
    assert 0 <= sigmoid(margin) <= 1
    assert sigmoid(margin) <= sigmoid(margin + 1)
    assert sigmoid(-margin) == pytest.approx(1 - sigmoid(margin))


@pytest.mark.parametrize(
    ("margin", "answer"), [(3.0, Answer.YES), (0.0, Answer.YES), (-0.1, Answer.NO)]
)
def test_an_uncalibrated_verdict_is_cut_at_a_half(margin: float, answer: Answer) -> None:
    verdict = decide(Evidence(margin))
    assert verdict.answer is answer
    assert verdict.calibrated is False
    assert verdict.reason is None


def test_too_little_mass_on_yes_and_no_is_indeterminate_and_says_so() -> None:
    verdict = decide(Evidence(9.0, mass=0.03))
    assert verdict.answer is Answer.INDETERMINATE
    assert verdict.reason == "The model put only 3 % on answering yes or no."
    assert decide(Evidence(9.0, mass=LEAST_MASS)).answer is Answer.YES


def test_screenings_come_in_the_tiles_order() -> None:
    tiles = [plain((250, 0, 0)), plain((0, 250, 0)), plain((250, 0, 0))]
    answers = [screening.verdict.answer for screening in Screener(FakeEngine()).screen(tiles)]
    assert answers == [Answer.YES, Answer.NO, Answer.YES]


def test_a_prediction_starts_with_its_verdict_and_ends_with_its_sentence() -> None:
    engine = ScriptedEngine(Evidence(5.0, mass=0.1))
    screening = Screener(engine).screen([plain((1, 1, 1))])[0]
    assert screening.prediction == f"Indeterminate. {screening.explanation}"
    assert "indeterminate" in screening.explanation
    assert set(screening.timings) == {"score", "explain"}


@pytest.mark.parametrize("margin", [math.nan, math.inf])
def test_a_score_that_is_not_a_number_is_never_a_verdict(margin: float) -> None:
    with pytest.raises(ModelUnsound):
        Screener(ScriptedEngine(Evidence(margin))).screen([plain((1, 1, 1))])


def test_the_known_tile_is_the_same_every_time() -> None:
    assert np.array_equal(known_tile().pixels, known_tile().pixels)
    assert self_test(Screener(FakeEngine())).verdict.probability > 0
