"""Gemma 3's chat template for one user turn with an image, as text and as token ids.

Written out in code, so that serving needs no template engine. `healer optimize` compares both
with the download's own template and processor, and converts no model where they differ.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tokenizers import Tokenizer

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
    prefix, asked = (tokenizer.encode(text, add_special_tokens=False).ids for text in texts)
    return Prompt(tuple(prefix), tuple(asked))
