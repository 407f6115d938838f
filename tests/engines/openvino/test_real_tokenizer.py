"""The prompt on the real Gemma 3 vocabulary. Opt-in: see the medgemma tests' like."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from healer.engines.vlm.prompt import chat_text, encode  # noqa: E402
from tests.engines.openvino.test_prompt import QUESTIONS  # noqa: E402

IMAGE_TOKENS = 256
NAMED = {
    "boi_token": "<start_of_image>",
    "eoi_token": "<end_of_image>",
    "image_token": "<image_soft_token>",
}


@pytest.fixture(scope="module")
def processor() -> Any:  # noqa: ANN401
    name = os.environ.get("HEALER_TEST_GEMMA_GGUF")
    if not name:
        pytest.skip("opt-in: HEALER_TEST_GEMMA_GGUF names no file")
    pytest.importorskip("gguf")
    file = Path(name)
    tokenizer = transformers.AutoTokenizer.from_pretrained(
        file.parent, gguf_file=file.name, extra_special_tokens=NAMED
    )
    pictures = transformers.Gemma3ImageProcessorPil(do_convert_rgb=True)
    return transformers.Gemma3Processor(pictures, tokenizer, image_seq_length=IMAGE_TOKENS)


@pytest.mark.parametrize("text", QUESTIONS)
def test_the_ids_are_the_real_processors(processor: Any, text: str) -> None:  # noqa: ANN401
    theirs = processor(
        text=chat_text(text),
        images=[Image.fromarray(np.zeros((9, 9, 3), np.uint8))],
        add_special_tokens=False,
    )["input_ids"]
    prompt = encode(processor.tokenizer.backend_tokenizer, text, IMAGE_TOKENS)
    assert list(prompt.ids) == theirs[0]
    assert len(prompt.prefix) == 5 + IMAGE_TOKENS + 1
    assert prompt.prefix[-1] == 256000
