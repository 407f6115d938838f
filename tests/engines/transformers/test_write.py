"""A text of several pictures that are read together."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from PIL import Image  # noqa: E402
from tokenizers import Tokenizer  # noqa: E402
from transformers.modeling_outputs import BaseModelOutputWithPooling  # noqa: E402

from healer.engines.base import MultiImageEngine  # noqa: E402
from healer.engines.transformers import many_pictures, model  # noqa: E402
from healer.engines.transformers.engine import MedGemmaEngine  # noqa: E402
from healer.engines.transformers.loading import quiet  # noqa: E402
from healer.errors import ModelNotReady, TooManyPictures  # noqa: E402
from healer.images.tile import Tile  # noqa: E402
from tests.engines.transformers.conftest import KINDS, Load, Make  # noqa: E402
from tests.gemma import PINK, WHITE  # noqa: E402

TEXT = "What do the pictures show? Name each by its number."
PICTURES = [PINK, WHITE, PINK]
TOKENS = 24


def noise(seed: int) -> Tile:
    pixels = np.random.default_rng(seed).integers(0, 256, (48, 48, 3), dtype=np.uint8)
    return Tile(pixels)


def written(engine: MedGemmaEngine, pictures: list[Tile], tokens: int = TOKENS) -> str:
    return "".join(engine.write(TEXT, pictures, tokens))


def by_transformers(folder: Path, dtype: str) -> str:
    """By the library's own template and generation, in one call with all pixels."""
    with quiet():
        reference: Any = transformers.AutoModelForImageTextToText.from_pretrained(
            folder, dtype=getattr(torch, dtype)
        )
        processor = transformers.AutoProcessor.from_pretrained(folder)
    pictures = [{"type": "image", "image": Image.fromarray(each.pixels)} for each in PICTURES]
    content = [{"type": "text", "text": TEXT}, *pictures]
    inputs = processor.apply_chat_template(
        [{"role": "user", "content": content}],
        add_generation_prompt=True,
        tokenize=True,
        return_dict=True,
        return_tensors="pt",
    )
    with torch.inference_mode(), quiet():
        ids = reference.generate(**inputs, max_new_tokens=TOKENS, do_sample=False)
    rest = ids[0, inputs["input_ids"].shape[1] :]
    return str(processor.tokenizer.decode(rest, skip_special_tokens=True))


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_it_writes_what_transformers_generates(taught: Path, load: Load, dtype: str) -> None:
    engine = load(taught, dtype=dtype)
    assert isinstance(engine, MultiImageEngine)
    text = written(engine, PICTURES)
    assert text
    assert text == by_transformers(taught, dtype)


def without_cache(gemma: model.Gemma, pictures: list[Tile]) -> list[int]:
    """The tokens that follow when the model reads all of it again for each token, in one pass."""
    ids = gemma.pictures.ids(TEXT, len(pictures))
    prompt, image = len(ids), gemma.model.config.image_token_id
    features = torch.cat([gemma.pictures.features([each]) for each in pictures])
    while len(ids) < prompt + TOKENS and ids[-1] not in gemma.stops:
        whole = torch.tensor([ids])
        with torch.inference_mode():
            found = gemma.model(
                input_ids=whole,
                token_type_ids=(whole == image).long(),
                mm_encoder_outputs={"image": BaseModelOutputWithPooling(pooler_output=features)},
                use_cache=False,
            )
        ids.append(int(found.logits[0, -1].argmax()))
    return [token for token in ids[prompt:] if token not in gemma.stops]


@pytest.mark.parametrize("window", [24, 90, 1024])
@pytest.mark.parametrize("at_once", [1, 4])
def test_in_chunks_it_writes_what_it_would_in_one_pass(
    make: Make, load: Load, monkeypatch: pytest.MonkeyPatch, window: int, at_once: int
) -> None:
    """Of a prompt longer than the sliding window, whatever the chunks and the vision batches."""
    monkeypatch.setattr(many_pictures, "CHUNK_TOKENS", 70)
    monkeypatch.setattr(many_pictures, "AT_ONCE_ON_CPU", at_once)
    tiles = [noise(seed) for seed in range(12)]
    gemma = load(make(sliding_window=window, seed=3))._gemma
    assert gemma is not None
    cache, token = gemma.pictures.prefill(gemma.pictures.ids(TEXT, len(tiles)), tiles)
    expected = without_cache(gemma, tiles)
    assert len(expected) > 10
    assert list(gemma._greedy(cache, token, TOKENS)) == expected


def test_the_cache_of_a_long_prompt_holds_the_window_alone(
    make: Make, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(many_pictures, "CHUNK_TOKENS", 70)
    gemma = load(make(sliding_window=24))._gemma
    assert gemma is not None
    tiles = [noise(seed) for seed in range(12)]
    ids = gemma.pictures.ids(TEXT, len(tiles))
    cache, _ = gemma.pictures.prefill(ids, tiles)
    layers: list[Any] = list(cache.layers)
    held = [layer.keys.shape[2] for layer in layers]
    assert held == [23] * 5 + [len(ids)]


def test_a_picture_passes_the_vision_tower_once(
    taught: Path, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    gemma, seen = (engine := load(taught))._gemma, []
    assert gemma is not None
    features = gemma.pictures.features

    def counting(pictures: Sequence[Tile]) -> Any:  # noqa: ANN401
        seen.append(len(pictures))
        return features(pictures)

    monkeypatch.setattr(gemma.pictures, "features", counting)
    first = written(engine, PICTURES)  # of which two are the same
    assert sum(seen) == 2
    assert written(engine, PICTURES) == first
    assert sum(seen) == 2
    monkeypatch.setattr(many_pictures, "KEPT", 1)
    assert written(engine, [noise(1), noise(2)])
    assert len(gemma.pictures._kept) == 1


def test_it_says_how_many_pictures_it_has_read(taught: Path, load: Load) -> None:
    read = list[int]()
    assert "".join(load(taught).write(TEXT, PICTURES, TOKENS, read.append))
    assert read[-1] == len(PICTURES)
    assert read == sorted(set(read))


@pytest.mark.parametrize(("dtype", "quantization"), KINDS)
def test_every_kind_of_weights_writes(
    taught: Path, load: Load, dtype: str, quantization: str
) -> None:
    engine = load(taught, dtype=dtype, quantization=quantization)
    assert written(engine, PICTURES) == written(engine, PICTURES) != ""


def test_more_pictures_than_its_window_holds_are_refused_with_how_many_fit(
    taught: Path, load: Load
) -> None:
    engine = load(taught)
    assert engine._gemma is not None
    engine._gemma.model.config.text_config.max_position_embeddings = 300
    with pytest.raises(TooManyPictures, match="it reads 300") as refusal:
        written(engine, [PINK] * 20)
    assert refusal.value.model_id == engine.info.model_id
    assert 0 < refusal.value.most < 20
    assert written(engine, [PINK] * refusal.value.most)
    # The tiny tokenizer has a token more around each picture than Gemma's.
    with pytest.raises(TooManyPictures):
        written(engine, [PINK] * (refusal.value.most + 3))


def test_too_little_memory_asks_for_half(
    taught: Path, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = load(taught)

    def fail(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    assert engine._gemma is not None
    monkeypatch.setattr(engine._gemma.pictures, "features", fail)
    with pytest.raises(TooManyPictures, match="memory") as refusal:
        written(engine, PICTURES * 2)
    assert refusal.value.most == 3


def test_a_closed_engine_writes_nothing(taught: Path, load: Load) -> None:
    engine = load(taught)
    engine.close()
    with pytest.raises(ModelNotReady):
        written(engine, PICTURES)


def test_a_thought_is_ended_before_it_begins(
    taught: Path, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = written(engine := load(taught), PICTURES)
    firsts: list[int] = []

    def ended(tokenizer: Tokenizer, first: int) -> list[int]:
        firsts.append(first)
        return list(tokenizer.encode("Yes No", add_special_tokens=False).ids)

    monkeypatch.setattr(model, "empty_thought", ended)
    assert written(engine, PICTURES) != plain
    assert len(firsts) == 1
