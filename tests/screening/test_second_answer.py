"""The second answer: what it says, and that it never contradicts the first."""

from __future__ import annotations

from itertools import product

import pytest

from healer.engines.base import Answer, Finding
from healer.questions import colorectal
from healer.questions.colorectal import DYSPLASIA_OR_CANCER
from healer.screening.verdict import (
    OF_TILES,
    OF_WINDOWS,
    Mark,
    SecondAnswer,
    Verdict,
    second_answer,
)

NO, OPEN, YES = Answer.NO, Answer.INDETERMINATE, Answer.YES
GRID = (0.0, 0.1, 0.2, 0.35, 0.5, 0.72, 1.0)


def findings(
    cancer: float = 0.0, high: float = 0.0, low: float = 0.0, serrated: float = 0.0
) -> tuple[Finding, ...]:
    return (
        Finding(colorectal.ADENOCARCINOMA, cancer),
        Finding(colorectal.HIGH_GRADE, high),
        Finding(colorectal.LOW_GRADE, low),
        Finding(colorectal.SERRATED, serrated),
        Finding("normal mucosa", max(0.0, 1 - cancer - high - low - serrated)),
    )


def combined(headline: Answer, probability: float = 0.1, **shares: float) -> SecondAnswer:
    found = second_answer(Verdict(headline, probability), findings(**shares))
    assert found is not None
    return found


def test_no_does_not_hide_high_grade_neoplasia() -> None:
    found = combined(NO, 0.156, high=0.72, cancer=0.05)
    assert found.question == "dysplasia-or-cancer-1"
    assert (found.verdict, found.mark) == (YES, Mark.HIGH_GRADE)
    assert found.probability == pytest.approx(0.77)
    assert found.sentence == "No invasive cancer read; high-grade neoplasia likely."
    assert found.calibrated is False


@pytest.mark.parametrize(
    ("headline", "shares", "verdict", "mark", "sentence"),
    [
        (
            NO,
            {"low": 0.9},
            YES,
            "low-grade",
            "No invasive cancer read; low-grade neoplasia likely.",
        ),
        (
            NO,
            {"serrated": 0.5, "low": 0.35},
            YES,
            "serrated",
            "No invasive cancer read; serrated adenoma likely.",
        ),
        (NO, {"low": 0.05}, NO, None, "No invasive cancer read, and no precursor lesion."),
        (
            NO,
            {"low": 0.45},
            OPEN,
            None,
            "No invasive cancer read; a precursor lesion cannot be excluded.",
        ),
        (
            OPEN,
            {"cancer": 0.3, "high": 0.2},
            YES,
            "high-grade",
            "Invasive cancer neither read nor excluded; high-grade neoplasia likely.",
        ),
        (
            OPEN,
            {"cancer": 0.2},
            OPEN,
            None,
            "Invasive cancer neither read nor excluded; a precursor lesion cannot be excluded.",
        ),
        (
            OPEN,
            {"cancer": 0.2, "low": 0.6},
            YES,
            "low-grade",
            "Invasive cancer neither read nor excluded; low-grade neoplasia likely.",
        ),
        (
            OPEN,
            {"cancer": 0.2, "serrated": 0.6},
            YES,
            "serrated",
            "Invasive cancer neither read nor excluded; serrated adenoma likely.",
        ),
        (
            OPEN,
            {"cancer": 0.5, "low": 0.3},
            YES,
            None,
            "Invasive cancer neither read nor excluded; dysplasia or cancer likely.",
        ),
        (
            NO,
            {"cancer": 0.28, "low": 0.26, "serrated": 0.25},
            YES,
            None,
            "No invasive cancer read; dysplasia likely.",
        ),
        (NO, {"high": 0.25}, NO, None, "No invasive cancer read, and no precursor lesion."),
        (
            YES,
            {"cancer": 0.5, "high": 0.4},
            YES,
            None,
            "Read as cancer, so dysplasia or cancer is present.",
        ),
    ],
)
def test_every_combination_has_its_sentence(
    headline: Answer, shares: dict[str, float], verdict: Answer, mark: str | None, sentence: str
) -> None:
    found = combined(headline, **shares)
    assert (found.verdict, found.mark, found.sentence) == (verdict, mark, sentence)


@pytest.mark.parametrize("headline", list(Answer))
def test_it_never_contradicts_the_headline(headline: Answer) -> None:
    for cancer, high, low, serrated in product(GRID, repeat=4):
        if cancer + high + low + serrated > 1:
            continue
        found = combined(headline, 0.4, cancer=cancer, high=high, low=low, serrated=serrated)
        assert found.probability >= 0.4
        if headline is YES:
            assert (found.verdict, found.mark) == (YES, None)
        if headline is OPEN:
            assert found.verdict is not NO
        if found.mark is not None:
            assert found.verdict is YES
        marked = headline is not YES and high >= OF_TILES.high_grade
        assert (found.mark is Mark.HIGH_GRADE) == marked


def test_cancer_is_never_more_probable_than_cancer_or_dysplasia() -> None:
    assert combined(YES, 0.97, cancer=0.6, low=0.1).probability == 0.97


def test_there_is_none_without_class_probabilities() -> None:
    assert second_answer(Verdict(NO, 0.1), ()) is None
    assert second_answer(Verdict(NO, 0.1), (Finding("pinkness", 0.9),)) is None


def test_the_question_is_a_question_of_its_own() -> None:
    assert DYSPLASIA_OR_CANCER.id == "dysplasia-or-cancer-1"
    shares = {each.name: each.probability for each in findings(0.1, 0.2, 0.3, 0.2)}
    assert DYSPLASIA_OR_CANCER.head is not None
    assert DYSPLASIA_OR_CANCER.head.probability(shares) == pytest.approx(0.8)


def test_a_window_of_many_must_show_more() -> None:
    headline = Verdict(NO, 0.1)
    for shares, mark in (
        ({"high": 0.4, "low": 0.3}, None),
        ({"high": 0.5, "low": 0.3}, "high-grade"),
    ):
        found = second_answer(headline, findings(**shares), OF_WINDOWS)
        assert found is not None
        assert found.mark == mark
    doubtful = second_answer(headline, findings(low=0.9), OF_WINDOWS)
    assert doubtful is not None
    assert doubtful.verdict is OPEN
