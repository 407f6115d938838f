from __future__ import annotations

import pytest

from healer.engines.base import Answer
from healer.engines.vlm.prompt import messages, opening, short_hash
from healer.questions.colorectal import COLORECTAL_CANCER


def test_the_image_comes_first() -> None:
    [turn] = messages(COLORECTAL_CANCER)
    assert turn["role"] == "user"
    assert turn["content"] == [
        {"type": "image"},
        {"type": "text", "text": COLORECTAL_CANCER.text},
    ]


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (Answer.YES, "Yes, colorectal cancer is present in this image because"),
        (Answer.NO, "No, colorectal cancer is not seen in this image because"),
        (
            Answer.INDETERMINATE,
            "It cannot be determined from this image whether colorectal cancer is present because",
        ),
    ],
)
def test_the_opening_states_the_answer(answer: Answer, text: str) -> None:
    assert opening(COLORECTAL_CANCER, answer) == text


def test_another_text_has_another_hash() -> None:
    assert short_hash("one") == short_hash("one") != short_hash("two")
    assert len(short_hash("one")) == 12
