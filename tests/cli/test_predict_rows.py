from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from rich.cells import cell_len

from healer.answer import FieldWarningOut, GateOut, GateReason, Prediction, SecondAnswerOut
from healer.cli.predict_output import marks_of, percent, row, sentences, summary, verdict_of
from healer.engines.base import Answer
from healer.errors import EngineFailed, FileNotReadable, HealerError, NotAnImage
from healer.outcomes import Outcome, Unread, outcomes
from healer.problem import Problem
from healer.screening.screener import Screener
from healer.settings.loading import Settings
from tests.batch.tiles import folder_of
from tests.fake_engine import FakeEngine

BLURRED = GateReason(code="too_blurred", measured=1, threshold=2, sentence="It is blurred.")
WIDE = FieldWarningOut(code="wide_field", measured=3100, threshold=900, sentence="It is wide.")
HIGH_GRADE = SecondAnswerOut(
    question="dysplasia-or-cancer-1",
    verdict=Answer.YES,
    probability=0.72,
    calibrated=False,
    mark="high-grade",
    sentence="No invasive cancer read; high-grade neoplasia likely.",
)


@pytest.fixture
def plain(tmp_path: Path) -> Prediction:
    tiles = [folder_of(tmp_path / "tiles", 1) / "0000.png"]
    (found,) = outcomes(Screener(FakeEngine()), tiles, Settings(gate="off"))
    assert isinstance(found.answer, Prediction)
    fields = {"verdict": Answer.NO, "probability": 0.156, "calibrated": True, "reason": None}
    return found.answer.model_copy(update=fields)


def problem(error: HealerError) -> Problem:
    (found,) = outcomes(Screener(FakeEngine()), [Unread("a.png", error)], Settings(gate="off"))
    assert isinstance(found.answer, Problem)
    return found.answer


def marked(answer: Prediction) -> Prediction:
    fields = {
        "calibrated": False,
        "second_answer": HIGH_GRADE,
        "gate": GateOut(passed=False, warnings=[BLURRED]),
        "warnings": [WIDE],
    }
    return answer.model_copy(update=fields)


def test_a_calm_answer_has_no_mark(plain: Prediction) -> None:
    assert marks_of(plain) == []
    line = row(Outcome("a.png", plain), 80).plain
    assert line == "no               15.6 %                a.png"


def test_whatever_must_not_be_overlooked_is_marked(plain: Prediction) -> None:
    assert marks_of(marked(plain)) == [
        "high-grade",
        "gate: too blurred",
        "wide field",
        "uncalibrated",
    ]
    assert [*sentences(marked(plain))][1:] == [
        HIGH_GRADE.sentence,
        "It is blurred.",
        "It is wide.",
    ]
    whole = row(Outcome("a.png", marked(plain)), None).plain
    assert whole.endswith("  high-grade, gate: too blurred, wide field, uncalibrated  a.png")


@pytest.mark.parametrize("width", [60, 80, 100, 132])
@pytest.mark.parametrize("name", ["a" * 200 + ".png", "腸粘膜" * 30 + ".png", "a.png"])
def test_no_row_is_wider_than_the_terminal(plain: Prediction, width: int, name: str) -> None:
    for answer in (plain, marked(plain), problem(NotAnImage())):
        line = row(Outcome(name, answer), width).plain
        assert cell_len(line) <= width
        assert line.endswith(".png")
        assert line.startswith(verdict_of(answer))


@pytest.mark.parametrize(
    ("error", "word", "mark"),
    [
        (NotAnImage(), "refused", "not an image"),
        (FileNotReadable("No such file or directory"), "refused", "No such file or directory"),
        (EngineFailed("RuntimeError"), "failed", "engine failed"),
    ],
)
def test_refused_is_the_pictures_doing_and_failed_is_healers(
    error: HealerError, word: str, mark: str
) -> None:
    found = problem(error)
    assert (verdict_of(found), marks_of(found)) == (word, [mark])
    assert [*sentences(found)] == [str(error)]


def test_the_count_is_in_one_order_and_says_nothing_of_what_was_not() -> None:
    assert summary(Counter(yes=5, no=19, refused=4, indeterminate=6)) == (
        "19 no, 6 indeterminate, 5 yes, 4 refused"
    )
    assert summary(Counter(failed=1, yes=1)) == "1 yes, 1 failed"
    assert summary(Counter()) == "no answer"


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        *((0.0, "0.0 %"), (0.0004, "< 0.1 %"), (0.156, "15.6 %")),
        *((0.9995, "> 99.9 %"), (0.999, "99.9 %"), (1.0, "100.0 %")),
    ],
)
def test_no_certainty_is_shown_that_was_not_measured(share: float, shown: str) -> None:
    assert percent(share) == shown
