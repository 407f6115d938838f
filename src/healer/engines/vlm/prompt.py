"""The prompt, the words its explanation must start from, and the verdict in its first answer token.

The first token's ids that spell yes and no, and how likely each is, are the verdict.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from healer.engines.base import Answer, Question

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


def messages(question: Question) -> list[dict[str, object]]:
    """One user turn: the image first, then the question."""
    content = [{"type": "image"}, {"type": "text", "text": question.text}]
    return [{"role": "user", "content": content}]


def messages_of_many(text: str, pictures: int) -> list[dict[str, object]]:
    """One user turn, as MedGemma 1.5 was taught slides: the text first, then every picture."""
    content = [{"type": "text", "text": text}, *[{"type": "image"}] * pictures]
    return [{"role": "user", "content": content}]


def opening(question: Question, answer: Answer) -> str:
    """The start of the explanation. Stating the answer in full leaves only the reason to write."""
    if answer is Answer.YES:
        return f"Yes, {question.subject} is present in this image because"
    if answer is Answer.NO:
        return f"No, {question.subject} is not seen in this image because"
    return f"It cannot be determined from this image whether {question.subject} is present because"


def short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


START_OF_IMAGE, IMAGE, END_OF_IMAGE = "<start_of_image>", "<image_soft_token>", "<end_of_image>"


@dataclass(frozen=True, slots=True)
class Prompt:
    """Token ids; `prefix` ends with the image, and is the same for every question."""

    prefix: tuple[int, ...]
    question: tuple[int, ...]

    @property
    def ids(self) -> tuple[int, ...]:
        return self.prefix + self.question


def encode_many(tokenizer: Tokenizer, text: str, pictures: int, image_tokens: int) -> list[int]:
    """A text and the pictures after it, each expanded to `image_tokens` places for features."""
    image = f"\n\n{START_OF_IMAGE}{IMAGE * image_tokens}{END_OF_IMAGE}\n\n"
    turn = f"{text.strip()}{image * pictures}<end_of_turn>\n"
    chat = f"<bos><start_of_turn>user\n{turn}<start_of_turn>model\n"
    return list(tokenizer.encode(chat, add_special_tokens=False).ids)


def chunks(ids: Sequence[int], image: int, most: int) -> Iterator[list[int]]:
    """`ids` in pieces of at most `most`. No image's tokens `image` are parted, for they see each
    other: an image that is longer is a piece of its own length."""
    start = 0
    while start < len(ids):
        stop = min(start + most, len(ids))
        while start < stop < len(ids) and ids[stop - 1] == ids[stop] == image:
            stop -= 1
        if stop == start:
            while stop < len(ids) and ids[stop] == image:
                stop += 1
        yield list(ids[start:stop])
        start = stop


LEAST_WRITTEN = 128  # tokens that must be left for what is written
MARKS = 3  # tokens around each picture among others


def pictures_that_fit(window: int, prompt: int, shown: int, image_tokens: int) -> int:
    """How many of `shown` pictures fit into `window` tokens, where all of them make a prompt of
    `prompt` tokens."""
    over = prompt + LEAST_WRITTEN - window
    return shown if over <= 0 else max(0, shown + (-over) // (image_tokens + MARKS))


def chat_text(question: str) -> str:
    """What the chat template makes of the image, then `question`, up to the model's turn."""
    turn = f"{START_OF_IMAGE}{question.strip()}<end_of_turn>\n"
    return f"<bos><start_of_turn>user\n{turn}<start_of_turn>model\n"


def encode(tokenizer: Tokenizer, question: str, image_tokens: int) -> Prompt:
    """The prompt with its image expanded to `image_tokens` places for features."""
    before, after = chat_text(question).split(START_OF_IMAGE)
    image = f"\n\n{START_OF_IMAGE}{IMAGE * image_tokens}{END_OF_IMAGE}"
    # Special tokens part a text: what follows one is the same tokens as on its own.
    texts = (before + image, "\n\n" + after)
    prefix, question_ids = (tokenizer.encode(text, add_special_tokens=False).ids for text in texts)
    return Prompt(tuple(prefix), tuple(question_ids))
