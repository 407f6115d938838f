"""The verdict is read from the first answer token: which ids spell yes and no, how likely each."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedTokenizerBase


@dataclass(frozen=True, slots=True)
class AnswerTokens:
    yes: tuple[int, ...]
    no: tuple[int, ...]

    @property
    def all(self) -> list[int]:
        return [*self.yes, *self.no]


def answer_tokens(tokenizer: PreTrainedTokenizerBase) -> AnswerTokens:
    return AnswerTokens(spellings(tokenizer, "yes"), spellings(tokenizer, "no"))


def spellings(tokenizer: PreTrainedTokenizerBase, word: str) -> tuple[int, ...]:
    """Ids of the forms of `word` (case, leading space) that are one token each."""

    def encode(text: str) -> list[int]:
        return list(tokenizer.encode(text, add_special_tokens=False))

    return single_tokens(encode, word, tokenizer.all_special_ids)


def single_tokens(
    encode: Callable[[str], list[int]], word: str, special: Collection[int]
) -> tuple[int, ...]:
    """`spellings` for any tokenizer: `encode` adds no special tokens, `special` are never one."""
    forms = (word, word.capitalize(), word.upper())
    encoded = [encode(lead + form) for lead in ("", " ") for form in forms]
    single = {ids[0] for ids in encoded if len(ids) == 1}
    return tuple(sorted(single.difference(special)))


def margins(logits: torch.Tensor, tokens: AnswerTokens) -> list[float]:
    """Log-odds of yes against no for each row of float32 `logits` (tiles, vocabulary)."""
    yes = logits[:, list(tokens.yes)].logsumexp(dim=-1)
    no = logits[:, list(tokens.no)].logsumexp(dim=-1)
    return [float(margin) for margin in yes - no]


def masses(logits: torch.Tensor, tokens: AnswerTokens) -> list[float]:
    """Probability of any spelling of yes or no, in [0, 1], for each row of float32 `logits`."""
    probabilities = logits.softmax(dim=-1)[:, tokens.all].sum(dim=-1)
    return [min(float(mass), 1.0) for mass in probabilities]
