"""The prompt, and the words its explanation must start from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from healer.engines.base import Answer, Question

if TYPE_CHECKING:
    from tokenizers import Tokenizer


def messages(question: Question) -> list[dict[str, object]]:
    """One user turn: the image first, then the question."""
    content = [{"type": "image"}, {"type": "text", "text": question.text}]
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
