"""Against the processor of a checkpoint laid out as MedGemma's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tokenizers import Tokenizer

pytest.importorskip("torch")
pytest.importorskip("transformers")

from healer.engines.vlm.prompt import chat_text, encode, messages
from healer.questions.colorectal import COLORECTAL_CANCER
from tests.gemma import IDS, IMAGE_TOKENS, load_processor

QUESTIONS = [
    COLORECTAL_CANCER.text,
    "Yes or no?",
    "  Spaces around, and two  inside.\n\n",
    "Line\n\nbreaks, µm, 癌, a\ttab.",
    "",
]


@pytest.fixture(scope="module")
def processor(taught: Path) -> Any:  # noqa: ANN401
    return load_processor(taught)


@pytest.fixture(scope="module")
def tokenizer(taught: Path) -> Tokenizer:
    return Tokenizer.from_file(str(taught / "tokenizer.json"))


def user_message(text: str) -> list[dict[str, object]]:
    content = [{"type": "image"}, {"type": "text", "text": text}]
    return [{"role": "user", "content": content}]


@pytest.mark.parametrize("text", QUESTIONS)
def test_the_text_is_the_templates(processor: Any, text: str) -> None:  # noqa: ANN401
    assert chat_text(text) == processor.apply_chat_template(
        user_message(text), tokenize=False, add_generation_prompt=True
    )


@pytest.mark.parametrize("text", QUESTIONS)
def test_the_ids_are_the_processors(processor: Any, tokenizer: Tokenizer, text: str) -> None:  # noqa: ANN401
    theirs = processor(
        text=chat_text(text),
        images=[Image.fromarray(np.zeros((9, 9, 3), np.uint8))],
        add_special_tokens=False,
    )["input_ids"]
    assert list(encode(tokenizer, text, IMAGE_TOKENS).ids) == theirs[0]


def test_the_prefix_is_the_same_for_every_question(tokenizer: Tokenizer) -> None:
    prompts = [encode(tokenizer, text, IMAGE_TOKENS) for text in QUESTIONS]
    assert len({prompt.prefix for prompt in prompts}) == 1
    prefix = prompts[0].prefix
    assert prefix[0] == IDS["bos_token"]
    assert prefix[-1] == IDS["eoi_token"]
    assert prefix.count(IDS["image_token"]) == IMAGE_TOKENS
    assert all(IDS["image_token"] not in prompt.question for prompt in prompts)


def test_the_question_is_the_transformers_engines(processor: Any) -> None:  # noqa: ANN401
    text = processor.apply_chat_template(
        messages(COLORECTAL_CANCER), tokenize=False, add_generation_prompt=True
    )
    assert text == chat_text(COLORECTAL_CANCER.text)
