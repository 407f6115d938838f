"""A text of several pictures that are read together, as many as the model and the memory hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("openvino")

from PIL import Image
from tokenizers import Tokenizer

from healer.engines.base import Answer, MultiImageEngine
from healer.engines.openvino import model
from healer.engines.openvino.conversion_record import read_conversion, write_conversion
from healer.engines.openvino.engine import OpenVINOEngine
from healer.engines.openvino.language import memory_needed
from healer.engines.openvino.model import Vision
from healer.engines.transformers.engine import MedGemmaEngine
from healer.engines.vlm.prompt import encode_many, messages_of_many
from healer.errors import TooManyPictures
from healer.images.tile import Tile
from healer.questions.colorectal import COLORECTAL_CANCER
from tests.engines.openvino.conftest import Load
from tests.gemma import IMAGE_TOKENS, PINK, WHITE, load_processor

TEXT = "What do the pictures show? Name each by its number."
WORDS = 24  # tokens


def noise(seed: int) -> Tile:
    pixels = np.random.default_rng(seed).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    return Tile(pixels)


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
    read = list[int]()
    first = "".join(engine.write(TEXT, [PINK, WHITE], WORDS, read.append))
    assert first
    assert read == [1, 2]
    assert "".join(engine.write(TEXT, [PINK, WHITE], WORDS)) == first
    assert len("".join(engine.write(TEXT, [PINK, WHITE], 3))) < len(first)


@pytest.mark.parametrize("pictures", [7, 120])
def test_it_writes_what_transformers_writes(
    shared: Path, taught: Path, load: Load, pictures: int
) -> None:
    """Of one chunk and of three. In float32 the first words differ in nothing but rounding to 8
    bits."""
    tiles = [(PINK, WHITE)[number % 2] for number in range(pictures)]
    engine = load(shared, dtype="float32")
    reference = MedGemmaEngine.load(
        taught,
        COLORECTAL_CANCER,
        device="cpu",
        dtype="float32",
        quantization="none",
        allow_fallback=False,
        threads=1,
    )
    ours, theirs = ("".join(each.write(TEXT, tiles, WORDS)) for each in (engine, reference))
    assert ours == theirs != ""
    reference.close()


@pytest.mark.parametrize("pictures", [20, 120])
def test_a_long_prompt_is_as_near_to_float32_as_a_short_one(
    shared: Path, load: Load, pictures: int
) -> None:
    """In the numbers that this processor is fastest with, in one step and in three chunks; and the
    token after it, which the 8-bit cache is read for."""
    tiles, logits = [noise(seed) for seed in range(pictures)], []
    for dtype in ("float32", "bfloat16"):
        gemma = load(shared, dtype=dtype)._gemma
        assert gemma is not None
        ids = encode_many(gemma.tokenizer, TEXT, pictures, IMAGE_TOKENS)
        first, after = gemma.read_prompt(ids, tiles, lambda _: None)
        logits.append(np.stack([first, gemma.language.run(after).step([50])]))
    expected, found = logits
    off = np.sqrt(np.mean((found - expected) ** 2, axis=1)) / expected.std(axis=1)
    assert (off < 0.03).all()


def test_each_picture_passes_the_vision_tower_once(
    engine: OpenVINOEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A picture's features are kept, so that the same one is not read again."""
    gemma, passes, stages = engine._gemma, [], list[str]()
    assert gemma is not None
    features = Vision.features

    def counting(vision: Vision, pixels: Any) -> Any:  # noqa: ANN401
        passes.append(pixels)
        return features(vision, pixels)

    monkeypatch.setattr(Vision, "features", counting)
    tiles = [noise(seed) for seed in range(80)]
    first = "".join(gemma.write(TEXT, tiles, WORDS, stages.append))
    assert len(passes) == len(tiles)
    assert stages.count("vision") == len(tiles)
    assert stages.count("prefill") == 2
    assert "".join(gemma.write(TEXT, tiles, WORDS)) == first
    assert len(passes) == len(tiles)


def test_an_explanation_goes_on_after_a_long_prompt_was_read(engine: OpenVINOEngine) -> None:
    """Whose scratch memory is released while the explanation's own state is still wanted."""
    evidence = engine.score([PINK])[0]
    whole = list(engine.explain(evidence, Answer.YES))
    half = engine.explain(evidence, Answer.YES)
    begun = [next(half)]
    long = "".join(engine.write(TEXT, [noise(seed) for seed in range(80)], WORDS))
    assert begun + list(half) == whole
    assert "".join(engine.write(TEXT, [noise(seed) for seed in range(80)], WORDS)) == long
    assert engine.score([PINK])[0].margin == evidence.margin


def test_pictures_are_kept_within_the_caches_budget(shared: Path, load: Load) -> None:
    engine = load(shared, cache_mb=0)
    assert engine._gemma is not None
    kept = "".join(engine.write(TEXT, [PINK, WHITE], WORDS))
    assert engine._gemma.cache.nbytes == 0
    assert "".join(engine.write(TEXT, [PINK, WHITE], WORDS)) == kept


def test_more_pictures_than_the_model_reads_are_refused_with_how_many_fit(
    converted: Path, load: Load
) -> None:
    record = read_conversion(converted)
    tokens = record.tokens.model_copy(update={"window": 1024})
    write_conversion(converted, record.model_copy(update={"tokens": tokens}))
    engine = load(converted)
    with pytest.raises(TooManyPictures, match=r"it reads 1,024") as refusal:
        list(engine.write(TEXT, [PINK] * 125, WORDS))
    most = refusal.value.most
    assert 0 < most * IMAGE_TOKENS < 1024
    assert "".join(engine.write(TEXT, [PINK] * most, WORDS))
    # The tiny tokenizer has a token more around each picture than Gemma's.
    with pytest.raises(TooManyPictures):
        list(engine.write(TEXT, [PINK] * (most + 6), WORDS))


def test_more_pictures_than_there_is_memory_for_are_refused_with_how_many_fit(
    engine: OpenVINOEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    gemma = engine._gemma
    assert gemma is not None
    free = memory_needed(gemma.language.attention, 1000)
    monkeypatch.setattr(model, "free_memory", lambda: free)
    with pytest.raises(TooManyPictures, match=r"GB of memory, and .* GB are free") as refusal:
        list(engine.write(TEXT, [PINK] * 125, WORDS))
    most = refusal.value.most
    assert 600 < most * (IMAGE_TOKENS + 3) < 1000
    # The tiny tokenizer has a token more around each picture than Gemma's.
    assert "".join(engine.write(TEXT, [PINK] * (most - 4), WORDS))


def test_a_thought_is_ended_before_it_begins(
    engine: OpenVINOEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = "".join(engine.write(TEXT, [PINK, WHITE], WORDS))
    firsts: list[int] = []

    def ended(tokenizer: Tokenizer, first: int) -> list[int]:
        firsts.append(first)
        return list(tokenizer.encode("Yes No", add_special_tokens=False).ids)

    monkeypatch.setattr(model, "empty_thought", ended)
    assert "".join(engine.write(TEXT, [PINK, WHITE], WORDS)) != plain
    assert len(firsts) == 1
