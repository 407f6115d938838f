from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from healer.engines.vlm.prompt import (
    AnswerTokens,
    find_answer_tokens,
    margin,
    mass,
    single_tokens,
)

if TYPE_CHECKING:
    from tokenizers import Tokenizer

TOKENS = AnswerTokens(yes=(0, 1), no=(2,))
LOGITS = np.log(np.array([0.1, 0.2, 0.15, 0.5, 0.05], np.float32))


def test_margin_and_mass_are_over_all_spellings() -> None:
    assert margin(LOGITS, TOKENS) == pytest.approx(math.log(0.3 / 0.15))
    assert mass(LOGITS, TOKENS) == pytest.approx(0.45)


@pytest.mark.parametrize("offset", [-1e4, 1e4])
def test_logits_may_be_large(offset: float) -> None:
    near = (np.round(LOGITS * 8) / 8).astype(np.float32)
    shifted = near + np.float32(offset)
    assert margin(shifted, TOKENS) == pytest.approx(margin(near, TOKENS))
    assert 0 < mass(shifted, TOKENS) <= 1


def test_mass_is_never_above_one() -> None:
    only = AnswerTokens(yes=(0, 1, 2), no=(3, 4))
    assert mass(LOGITS, only) == pytest.approx(1.0)
    assert mass(LOGITS, only) <= 1


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory: pytest.TempPathFactory) -> Tokenizer:
    tokenizers = pytest.importorskip("tokenizers")
    pytest.importorskip("torch")
    from tests.gemma import make_checkpoint

    folder: Path = make_checkpoint(tmp_path_factory.mktemp("model"))
    tokenizer: Tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    return tokenizer


def test_every_spelling_that_is_one_token_counts(tokenizer: Tokenizer) -> None:
    answers = find_answer_tokens(tokenizer)
    for ids, word in ((answers.yes, "yes"), (answers.no, "no")):
        forms = [word, word.capitalize(), word.upper()]
        found = sorted(str(tokenizer.id_to_token(token)) for token in ids)
        assert found == sorted([*forms, *(f"▁{form}" for form in forms)])


def test_a_word_of_several_tokens_has_no_spelling(tokenizer: Tokenizer) -> None:
    assert single_tokens(tokenizer, "adenocarcinoma") == ()


def test_special_tokens_are_never_spellings(tokenizer: Tokenizer) -> None:
    assert single_tokens(tokenizer, "<eos>") == ()
