"""The verdict is read from the first answer token: which ids spell yes and no, how likely each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Logits = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class AnswerTokens:
    yes: tuple[int, ...]
    no: tuple[int, ...]

    @property
    def all(self) -> list[int]:
        return [*self.yes, *self.no]


def spellings(word: str) -> list[str]:
    """The forms of `word` that count as it: lower, title and upper case, with or without a space
    before them."""
    forms = (word, word.capitalize(), word.upper())
    return [lead + form for lead in ("", " ") for form in forms]


def find_answer_tokens(tokenizer: Tokenizer) -> AnswerTokens:
    """Of a transformers tokenizer it is the `backend_tokenizer`."""
    return AnswerTokens(single_tokens(tokenizer, "yes"), single_tokens(tokenizer, "no"))


def single_tokens(tokenizer: Tokenizer, word: str) -> tuple[int, ...]:
    """Ids of the spellings of `word` that are one token each; special tokens are never one."""
    added = tokenizer.get_added_tokens_decoder()
    special = {index for index, token in added.items() if token.special}
    encoded = [tokenizer.encode(each, add_special_tokens=False).ids for each in spellings(word)]
    return tuple(sorted({ids[0] for ids in encoded if len(ids) == 1} - special))


def margin(logits: Logits, tokens: AnswerTokens) -> float:
    """Natural log-odds of yes against no from `logits` (vocabulary,), in float64."""
    return _logsumexp(logits, tokens.yes) - _logsumexp(logits, tokens.no)


def mass(logits: Logits, tokens: AnswerTokens) -> float:
    """Probability of any spelling of yes or no, in [0, 1]."""
    share = np.exp(_logsumexp(logits, tokens.all) - _logsumexp(logits, slice(None)))
    return min(float(share), 1.0)


def _logsumexp(logits: Logits, where: Sequence[int] | slice) -> float:
    chosen = logits[where if isinstance(where, slice) else list(where)].astype(np.float64)
    highest = chosen.max()
    return float(highest + np.log(np.exp(chosen - highest).sum()))
