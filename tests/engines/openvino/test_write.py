"""A text of several pictures that are read together, as many as the window holds."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("openvino")

from PIL import Image
from tokenizers import Tokenizer

from healer.engines.base import MultiImageEngine
from healer.engines.openvino import model
from healer.engines.openvino.engine import OpenVINOEngine
from healer.engines.vlm.prompt import encode_many, messages_of_many
from healer.errors import TooManyPictures
from tests.gemma import IMAGE_TOKENS, PINK, WHITE, load_processor

TEXT = "What do the pictures show? Name each by its number."


@pytest.mark.parametrize("pictures", [1, 2, 5])
def test_the_ids_are_the_processors(taught: Path, pictures: int) -> None:
    processor = load_processor(taught)
    text = processor.apply_chat_template(
        messages_of_many(TEXT, pictures), tokenize=False, add_generation_prompt=True
    )
    blank = Image.fromarray(np.zeros((9, 9, 3), np.uint8))
    theirs = processor(text=[text], images=[[blank] * pictures], add_special_tokens=False)
    tokenizer = Tokenizer.from_file(str(taught / "tokenizer.json"))
    assert encode_many(tokenizer, TEXT, pictures, IMAGE_TOKENS) == theirs["input_ids"][0]


def test_it_writes_the_same_of_the_same_pictures(engine: OpenVINOEngine) -> None:
    assert isinstance(engine, MultiImageEngine)
    first = "".join(engine.write(TEXT, [PINK, WHITE], 24))
    assert first
    assert "".join(engine.write(TEXT, [PINK, WHITE], 24)) == first
    assert len("".join(engine.write(TEXT, [PINK, WHITE], 3))) < len(first)


def test_more_pictures_than_its_window_holds_are_refused_with_how_many_fit(
    engine: OpenVINOEngine,
) -> None:
    with pytest.raises(TooManyPictures, match=r"converted to read 1,024") as refusal:
        list(engine.write(TEXT, [PINK] * 125, 24))
    most = refusal.value.most
    assert 0 < most * IMAGE_TOKENS < 1024
    assert "".join(engine.write(TEXT, [PINK] * most, 24))
    # The tiny tokenizer has a token more around each picture than Gemma's.
    with pytest.raises(TooManyPictures):
        list(engine.write(TEXT, [PINK] * (most + 6), 24))


def test_a_thought_is_ended_before_it_begins(
    engine: OpenVINOEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = "".join(engine.write(TEXT, [PINK, WHITE], 24))
    firsts: list[int] = []

    def ended(tokenizer: Tokenizer, first: int) -> list[int]:
        firsts.append(first)
        return list(tokenizer.encode("Yes No", add_special_tokens=False).ids)

    monkeypatch.setattr(model, "empty_thought", ended)
    assert "".join(engine.write(TEXT, [PINK, WHITE], 24)) != plain
    assert len(firsts) == 1
