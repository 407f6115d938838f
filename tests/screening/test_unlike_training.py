"""The warning on a tile unlike those that the model learnt from."""

from __future__ import annotations

import numpy as np
import pytest

from healer.engines.base import Evidence, Unlikeness
from healer.images.tile import Tile
from healer.screening.screener import UNLIKE_TRAINING, Score, Screener, warned_if_unlike
from healer.screening.verdict import Verdict, decide
from healer.screening.wide_field import Box
from tests.screening.test_screener import ScriptedEngine

UNLIKE = Evidence(2.0, unlikeness=Unlikeness(1.9, 1.6))


def score(evidence: Evidence, place: Box | None = None) -> Score:
    verdict = Verdict(decide(evidence).answer, 0.9, calibrated=True)
    return Score(evidence, verdict, 0.0, place=place)


def test_a_tile_unlike_the_training_tiles_says_so_and_is_not_calibrated() -> None:
    found = warned_if_unlike(score(UNLIKE))
    (warning,) = found.warnings
    assert (warning.code, warning.measured, warning.threshold) == (UNLIKE_TRAINING, 1.9, 1.6)
    assert "1.90 times as far" in warning.sentence
    assert warning.sentence.startswith("The tile is unlike")
    assert not found.verdict.calibrated
    assert found.verdict.answer is score(UNLIKE).verdict.answer


@pytest.mark.parametrize("unlikeness", [None, Unlikeness(1.6, 1.6), Unlikeness(0.9, 1.6)])
def test_another_tile_does_not(unlikeness: Unlikeness | None) -> None:
    plain = score(Evidence(2.0, unlikeness=unlikeness))
    assert warned_if_unlike(plain) == plain


def test_of_a_wide_field_it_is_the_window_that_was_answered_from() -> None:
    (warning,) = warned_if_unlike(score(UNLIKE, Box(0, 0, 9, 9))).warnings
    assert warning.sentence.startswith("The window that was answered from is unlike")


def test_a_wide_field_scored_whole_can_have_both_warnings() -> None:
    pixels = np.full((100, 100, 3), (230, 120, 180), np.uint8)
    (found,) = Screener(ScriptedEngine(UNLIKE)).score([Tile(pixels, mpp=20.0)])
    assert [warning.code for warning in found.warnings] == ["wide_field", UNLIKE_TRAINING]
