from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from tokenizers import Tokenizer

from healer.engines.openvino.logits import find_answer_tokens, margin, mass
from healer.engines.transformers.answer_tokens import AnswerTokens, answer_tokens

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


def test_the_spellings_are_the_other_engines(taught: Path) -> None:
    transformers = pytest.importorskip("transformers")
    found = find_answer_tokens(Tokenizer.from_file(str(taught / "tokenizer.json")))
    assert found == answer_tokens(transformers.AutoTokenizer.from_pretrained(taught))
    assert len(found.yes) == len(found.no) == 6
