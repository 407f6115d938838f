from __future__ import annotations

import pytest

from healer.answer import Thresholds
from healer.engines.base import Answer
from healer.screening.verdict import Mark, Verdict
from healer.slides.score import SlideScores, SlideThresholds, decide_slide, second_of_slide
from healer.slides.scoring import Coverage
from tests.slides.results import CUT, scored

ALL = Coverage(tissue=10, read=10, excluded={}, unreadable=0, unvisited=0)
PART = Coverage(tissue=10, read=9, excluded={"too_blurred": 1}, unreadable=0, unvisited=0)
NOTHING_READ = Coverage(tissue=10, read=0, excluded={"too_blurred": 10}, unreadable=0, unvisited=0)
BARE = Coverage(tissue=0, read=0, excluded={}, unreadable=0, unvisited=0)
THRESHOLDS = SlideThresholds.of(None, Thresholds(lower=0.3, upper=CUT))


def decided(score: float, coverage: Coverage = ALL) -> Verdict:
    return decide_slide(score, THRESHOLDS, coverage, 0.95)


def test_no_is_a_tile_s_no_and_yes_needs_ten_times_the_odds_of_a_tile_s_yes() -> None:
    assert (THRESHOLDS.lower, THRESHOLDS.positive) == (0.3, 0.5)
    assert THRESHOLDS.upper == pytest.approx(10 / 11)


@pytest.mark.parametrize(
    ("score", "answer"),
    [(0.92, Answer.YES), (0.9, Answer.INDETERMINATE), (0.3, Answer.NO), (0.0, Answer.NO)],
)
def test_the_score_is_cut_at_the_thresholds(score: float, answer: Answer) -> None:
    assert decided(score).answer is answer


def test_a_no_needs_enough_of_the_tissue_and_says_what_is_missing() -> None:
    verdict = decided(0.1, PART)
    assert verdict.answer is Answer.INDETERMINATE
    assert "90.0 % of the tissue was read, and 95 % are needed" in str(verdict.reason)
    assert "1.00 mm² excluded as too blurred" in str(verdict.reason)


def test_a_yes_needs_no_more_than_where_it_is() -> None:
    assert decided(0.99, PART).answer is Answer.YES


@pytest.mark.parametrize("coverage", [BARE, NOTHING_READ])
def test_nothing_read_is_never_a_no(coverage: Coverage) -> None:
    verdict = decided(0.0, coverage)
    assert verdict.answer is Answer.INDETERMINATE
    assert verdict.reason


def test_one_odd_tile_among_many_decides_nothing() -> None:
    tiles = [scored(x, y, 0.99 if (x, y) == (5, 5) else 0.02) for x in range(10) for y in range(10)]
    scores = SlideScores.of(tiles, 0.0025, CUT)
    assert scores.score == pytest.approx(0.02)
    assert scores.maximum == 0.99
    assert scores.top_mean == pytest.approx((0.99 + 3 * 0.02) / 4)
    assert (scores.positive_tiles, scores.tiles) == (1, 100)


def test_tiles_that_bear_each_other_out_count_in_full() -> None:
    focus = {(5, 5), (5, 6), (6, 5), (6, 6)}
    tiles = [scored(x, y, 0.99 if (x, y) in focus else 0.02) for x in range(10) for y in range(10)]
    assert SlideScores.of(tiles, 0.01, CUT).score == pytest.approx(0.99)


def test_a_biopsy_of_two_tiles_is_scored_by_both() -> None:
    assert SlideScores.of([scored(0, 0, 0.9), scored(1, 0, 0.8)], 0, CUT).score == pytest.approx(
        0.8
    )


def test_no_tile_no_score() -> None:
    assert SlideScores.of([], 0, CUT).score == 0


def test_the_second_answer_follows_from_the_tiles_that_say_most() -> None:
    adenoma = {(2, 2), (2, 3), (3, 2), (3, 3)}
    tiles = [
        scored(x, y, 0.0, low_grade=0.98 if (x, y) in adenoma else 0.05)
        for x in range(8)
        for y in range(8)
    ]
    second = second_of_slide(tiles, Verdict(Answer.NO, 0.0), [])
    assert second is not None
    assert (second.verdict, second.mark) == (Answer.YES, Mark.LOW_GRADE)
    assert second.probability == pytest.approx(0.98)


def test_an_open_headline_leaves_no_second_no() -> None:
    second = second_of_slide([scored(0, 0, 0.01)], Verdict(Answer.INDETERMINATE, 0.01), [])
    assert second is not None
    assert second.verdict is Answer.INDETERMINATE
