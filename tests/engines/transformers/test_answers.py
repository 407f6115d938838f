from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest

torch = pytest.importorskip("torch")

from healer.engines.transformers.answer_tokens import AnswerTokens, margins, masses, spellings  # noqa: E402

if TYPE_CHECKING:
    from healer.engines.transformers.model import Gemma

FORMS = {"yes": ["yes", "Yes", "YES"], "no": ["no", "No", "NO"]}


@pytest.mark.parametrize("word", ["yes", "no"])
def test_every_spelling_that_is_one_token_counts(gemma: Gemma, word: str) -> None:
    tokens = gemma.tokenizer.convert_ids_to_tokens(list(spellings(gemma.tokenizer, word)))
    assert sorted(tokens) == sorted(FORMS[word] + [f"▁{form}" for form in FORMS[word]])


def test_a_word_of_several_tokens_has_no_spelling(gemma: Gemma) -> None:
    assert spellings(gemma.tokenizer, "adenocarcinoma") == ()


def test_special_tokens_are_never_spellings(gemma: Gemma) -> None:
    assert spellings(gemma.tokenizer, "<eos>") == ()


def test_margin_is_the_log_odds_over_all_spellings() -> None:
    probabilities = torch.tensor([[0.1, 0.2, 0.15, 0.5, 0.05]])
    tokens = AnswerTokens(yes=(0, 1), no=(2,))
    assert margins(probabilities.log(), tokens) == pytest.approx([math.log(0.3 / 0.15)])
    assert masses(probabilities.log(), tokens) == pytest.approx([0.45])
