from __future__ import annotations

import math

import pytest

from healer.engines.base import Answer, Evidence
from healer.engines.openai.answers import AnswerOdds, read_answer
from healer.engines.openai.replies import Reply
from healer.errors import UpstreamUnsuited
from healer.screening.calibration import Binding, Calibration, Fitted
from healer.screening.verdict import decide

CAUTIOUS = Calibration(
    binding=Binding(
        engine="openai",
        model_id="m",
        revision="r",
        adapter=None,
        dtype="as-served",
        quantization="as-served",
        preprocessing_id="p",
        prompt_id="q",
    ),
    slope=1,
    intercept=0,
    lower=0.1,
    upper=0.9,
    fitted_on=Fitted(dataset="d", tiles=2, positives=1, cases=2),
)


def listing(*tokens: tuple[str, float]) -> Reply:
    """Of tokens and their natural log-probabilities."""
    top = [{"token": token, "logprob": logprob} for token, logprob in tokens]
    return Reply.model_validate({"choices": [{"logprobs": {"content": [{"top_logprobs": top}]}}]})


def reading(*tokens: tuple[str, float], requested: int = 20) -> AnswerOdds:
    """Of tokens and their probabilities."""
    return read_answer("http://there", listing(*((t, math.log(p)) for t, p in tokens)), requested)


ALL = [
    (f"{space}{word}", 0.09 if word.lower() == "yes" else 0.07)
    for space in ("", " ")
    for word in ("yes", "Yes", "YES", "no", "No", "NO")
]


def test_every_spelling_counts_and_then_nothing_is_in_doubt() -> None:
    found = reading(*ALL)
    assert found.margin == pytest.approx(math.log(0.54 / 0.42))
    assert found.bounds == pytest.approx((found.margin, found.margin))
    assert found.mass == pytest.approx(0.96)


@pytest.mark.parametrize("token", ["▁Yes", "ĠYes"])
def test_a_vocabularys_own_space_is_one(token: str) -> None:
    assert reading((token, 0.6), ("No", 0.3)) == reading((" Yes", 0.6), ("No", 0.3))


@pytest.mark.parametrize("token", ["Yes", "▁Yes", "ĠYes", " Yes"])
def test_tokens_of_the_same_spelling_add_up(token: str) -> None:
    """Where only the last counted, this was a probability of 0.002."""
    found = reading((token, 0.47), ("No", 0.5), (token, 0.001), ("The", 0.0001))
    assert found.margin == pytest.approx(math.log(0.471 / 0.5))
    assert found.mass == pytest.approx(0.971)
    turned = reading(("The", 0.0001), (token, 0.001), ("No", 0.5), (token, 0.47))
    assert turned == found


def test_all_that_are_the_same_answer_add_up_on_both_sides() -> None:
    yes, no = ("Yes", "▁Yes", " Yes", "yes", "YES"), ("No", "No", "▁no", "Ġno", " NO")
    listed = [*((each, 0.08) for each in yes), *((each, 0.11) for each in no)]
    found = reading(*listed, ("The", 0.001))
    assert found.margin == pytest.approx(math.log(0.40 / 0.55))
    assert found.mass == pytest.approx(0.95)


def test_a_token_of_the_same_spelling_is_one_fewer_that_may_be_missing() -> None:
    found = reading(("Yes", 0.5), ("Yes", 0.1), ("No", 0.3), ("The", 0.001))
    assert found.bounds[1] == pytest.approx(math.log(0.604 / 0.3))


def test_more_spellings_than_there_are_forms_leave_nothing_in_doubt() -> None:
    listed = [(word, 0.06) for word in ("Yes", "No") for _ in range(8)]
    found = reading(*listed)
    assert found.margin == pytest.approx(0)
    assert found.bounds == pytest.approx((0, 0))


def test_a_list_that_adds_up_to_more_than_one_is_refused() -> None:
    with pytest.raises(UpstreamUnsuited, match=r"add up to 1\.70"):
        reading(("Yes", 0.7), ("Yes", 0.7), ("No", 0.3))


def test_a_token_without_its_probability_could_have_all_that_is_left() -> None:
    reply = Reply.model_validate(
        {"choices": [{"logprobs": {"content": [{"top_logprobs": [
            {"token": "No", "logprob": math.log(0.6)},
            {"token": "Yes", "logprob": None},
            {"token": "The", "logprob": math.log(0.01)},
        ]}]}}]}
    )  # fmt: skip
    found = read_answer("http://there", reply, 20)
    assert found.mass == pytest.approx(0.6)
    assert found.bounds[1] == pytest.approx(math.log(0.39 / 0.6))


@pytest.mark.parametrize("other", ["yEs", "Yesterday", "Yes,", "Not", "  no"])
def test_other_words_are_neither(other: str) -> None:
    assert reading((other, 0.5), ("No", 0.3)).mass == pytest.approx(0.3)


def test_an_unlisted_class_is_at_most_as_likely_as_the_last_that_is_listed() -> None:
    found = reading(("Yes", 0.9), ("The", 0.02), ("It", 0.01))
    assert found.margin == pytest.approx(math.log(0.9 / (6 * 0.01)))
    assert found.bounds[0] == found.margin
    assert found.bounds[1] == math.inf


def test_nor_more_likely_than_all_that_is_left() -> None:
    found = reading(("No", 0.96), ("The", 0.02))
    assert found.margin == pytest.approx(math.log(0.02 / 0.96))
    assert found.bounds == (-math.inf, found.margin)


def test_missing_spellings_widen_the_interval_on_both_sides() -> None:
    found = reading(("Yes", 0.5), ("No", 0.3), ("The", 0.001))
    assert found.margin == pytest.approx(math.log(0.5 / 0.3))
    assert found.bounds[0] == pytest.approx(math.log(0.5 / 0.305))
    assert found.bounds[1] == pytest.approx(math.log(0.505 / 0.3))


def test_a_drawn_token_beyond_the_likeliest_does_not_narrow_the_interval() -> None:
    listed = [("Yes", 0.5), ("The", 0.1), ("drawn", 0.0001)]
    assert reading(*listed, requested=2).bounds[0] < reading(*listed, requested=3).bounds[0]


def test_neither_listed_is_no_margin_at_all() -> None:
    found = reading(("The", 0.9), ("It", 0.05))
    assert (found.margin, found.mass) == (0.0, 0.0)
    assert found.bounds == (-math.inf, math.inf)


def test_probabilities_too_small_for_a_float_are_still_distinguished() -> None:
    found = read_answer("http://there", listing(("Yes", -1e-7), ("No", -9999.0)), 20)
    assert math.isfinite(found.margin)
    assert found.bounds[0] < found.margin


@pytest.mark.parametrize(
    "tokens", [[], [("Yes", math.nan)], [("Yes", 0.5)], [("Yes", -math.inf)]], ids=repr
)
def test_what_is_no_probability_is_refused(tokens: list[tuple[str, float]]) -> None:
    with pytest.raises(UpstreamUnsuited, match="http://there"):
        read_answer("http://there", listing(*tokens), 20)


@pytest.mark.parametrize(
    ("tokens", "answer", "why"),
    [
        ([("Yes", 0.9), ("The", 0.01)], Answer.YES, None),
        ([("No", 0.9), ("The", 0.01)], Answer.NO, None),
        ([("Yes", 0.6), ("The", 0.3)], Answer.INDETERMINATE, "from 86 % to 100 %"),
        ([("No", 0.6), ("The", 0.3)], Answer.INDETERMINATE, "from 0 % to 14 %"),
        (
            [("Yes", 0.4), ("No", 0.35), ("The", 0.001)],
            Answer.INDETERMINATE,
            "53 % falls between 10 % and 90 %",
        ),
        ([("Yes", 0.85), ("No", 0.09), ("The", 0.03)], Answer.INDETERMINATE, "from 88 % to 91 %"),
        ([("Yes", 0.3), ("No", 0.1), ("The", 0.05)], Answer.INDETERMINATE, "only 40 %"),
    ],
)
def test_the_verdict_never_depends_on_an_unlisted_probability(
    tokens: list[tuple[str, float]], answer: Answer, why: str | None
) -> None:
    found = reading(*tokens)
    verdict = decide(Evidence(found.margin, found.mass, bounds=found.bounds), CAUTIOUS)
    assert verdict.answer is answer
    assert verdict.reason is None if why is None else why in (verdict.reason or "")
