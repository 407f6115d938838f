"""The verdict in a row of raw logits, in float64."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from healer.engines.openvino.cache import Floats
from healer.engines.transformers.answer_tokens import AnswerTokens, single_tokens

if TYPE_CHECKING:
    from tokenizers import Tokenizer


def find_answer_tokens(tokenizer: Tokenizer) -> AnswerTokens:
    """The ids that spell yes and no, as the transformers engine finds them."""
    added = tokenizer.get_added_tokens_decoder()
    special = {index for index, token in added.items() if token.special}

    def encode(text: str) -> list[int]:
        return list(tokenizer.encode(text, add_special_tokens=False).ids)

    return AnswerTokens(single_tokens(encode, "yes", special), single_tokens(encode, "no", special))


def margin(logits: Floats, tokens: AnswerTokens) -> float:
    """Log-odds of yes against no from `logits` (vocabulary,)."""
    return _logsumexp(logits, tokens.yes) - _logsumexp(logits, tokens.no)


def mass(logits: Floats, tokens: AnswerTokens) -> float:
    """Probability of any spelling of yes or no, in [0, 1]."""
    share = np.exp(_logsumexp(logits, tokens.all) - _logsumexp(logits, slice(None)))
    return min(float(share), 1.0)


def _logsumexp(logits: Floats, where: Sequence[int] | slice) -> float:
    chosen = logits[where if isinstance(where, slice) else list(where)].astype(np.float64)
    highest = chosen.max()
    return float(highest + np.log(np.exp(chosen - highest).sum()))
