from __future__ import annotations

import pytest

from healer.engines.base import Answer
from healer.engines.openai.answers import check_opening
from healer.engines.openai.prompt import AnswerForcing

START = "Yes, cancer is present because"


def whole(forcing: AnswerForcing, answer: Answer, pieces: list[str]) -> tuple[str, str]:
    start, rest = check_opening(forcing, answer, START, iter(pieces))
    return start, "".join(rest)


@pytest.mark.parametrize("forcing", list(AnswerForcing))
@pytest.mark.parametrize("cut", [1, 3, 10, 100])
def test_a_repeated_opening_is_not_written_twice(forcing: AnswerForcing, cut: int) -> None:
    text = f"{START} of the glands."
    pieces = [text[at : at + cut] for at in range(0, len(text), cut)]
    assert whole(forcing, Answer.YES, pieces) == (START, " of the glands.")


def test_a_continuation_is_taken_as_it_is() -> None:
    assert whole(AnswerForcing.PREFILL, Answer.YES, [" of", " it."]) == (START, " of it.")


def test_a_grammar_that_was_not_obeyed_gives_no_words() -> None:
    assert whole(AnswerForcing.GRAMMAR, Answer.YES, ["Yes, cancer.", " So."]) == (START, "")


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (Answer.YES, "No, it is not."),
        (Answer.YES, "**No**"),
        (Answer.NO, "Yes! It is."),
        (Answer.INDETERMINATE, "yes it is"),
        (Answer.INDETERMINATE, "No"),
    ],
)
def test_words_that_begin_by_contradicting_are_left_out(answer: Answer, text: str) -> None:
    assert whole(AnswerForcing.ASKED, answer, list(text)) == (START, "")


@pytest.mark.parametrize(
    ("answer", "text", "start", "rest"),
    [
        (Answer.YES, "Yes. Glands are crowded.", "Yes:", "Glands are crowded."),
        (Answer.YES, "Glands are crowded.", "Yes:", "Glands are crowded."),
        (Answer.NO, "Nothing is there.", "No:", "Nothing is there."),
        (Answer.NO, "no", "No:", "no"),
        (Answer.INDETERMINATE, "It is blurred.", "It cannot be determined:", "It is blurred."),
    ],
)
def test_the_models_own_words_follow_the_answer(
    answer: Answer, text: str, start: str, rest: str
) -> None:
    found, words = whole(AnswerForcing.ASKED, answer, list(text))
    assert (found, words.lstrip()) == (start, rest)


def test_silence_is_no_words() -> None:
    assert whole(AnswerForcing.ASKED, Answer.YES, []) == ("Yes:", "")
