"""What a long prompt takes, by MedGemma's shape; which chunks it is read in; its angles."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.checkpoint.configs import GLOBAL_EVERY
from benchmarks.checkpoint.shapes import SHAPES
from healer.engines.openvino.conversion_record import FULL, SLIDING, Attention, Kind, Rotary
from healer.engines.vlm.prompt import chunks

pytest.importorskip("openvino")

from benchmarks.many_pictures import held_bytes
from healer.engines.openvino.language import (
    CHUNK_PAIRS,
    CHUNK_TOKENS,
    chunk_tokens,
    longest_prompt,
    memory_needed,
)
from healer.engines.openvino.rotary import frequencies

SHAPE = SHAPES["medgemma-4b"].text
KINDS: tuple[Kind, ...] = tuple(
    SLIDING if (layer + 1) % GLOBAL_EVERY else FULL for layer in range(SHAPE.layers)
)
ROTARY: dict[Kind, Rotary] = {
    FULL: Rotary(base=1e6, factor=8),
    SLIDING: Rotary(base=1e4, factor=1),
}
MEDGEMMA = Attention(
    kinds=KINDS,
    sliding_window=SHAPE.window,
    heads=SHAPE.kv_heads,
    width=SHAPE.head_dim,
    rotary=ROTARY,
)
WINDOW = 131_072
PICTURES = 32_600  # tokens of 125 and a text
GB = 1e9
IMAGE = 9


def test_125_pictures_take_what_the_document_says() -> None:
    everything = MEDGEMMA.model_copy(update={"kinds": (FULL,) * SHAPE.layers})
    assert KINDS.count(SLIDING) == 29
    whole, sliding = (held_bytes(each, PICTURES) for each in (everything, MEDGEMMA))
    assert [round(each / GB, 2) for each in (*whole, *sliding)] == [9.08, 2.34, 1.58, 0.41]


def test_a_short_prompt_is_held_whole() -> None:
    assert MEDGEMMA.numbers(1023) == 1023 * 2 * SHAPE.layers * SHAPE.kv_heads * SHAPE.head_dim
    longer = MEDGEMMA.numbers(1024) - MEDGEMMA.numbers(1023)
    assert longer == 2 * KINDS.count(FULL) * SHAPE.kv_heads * SHAPE.head_dim


def test_chunks_are_shorter_where_they_see_more() -> None:
    assert chunk_tokens(300) == chunk_tokens(18_000) == CHUNK_TOKENS
    assert 2 * 259 <= chunk_tokens(PICTURES) < 3 * 259
    for tokens in (300, 20_000, WINDOW):
        assert tokens * chunk_tokens(tokens) <= max(CHUNK_PAIRS, tokens)


def test_the_longest_prompt_is_what_memory_is_enough_for() -> None:
    for free in (10**8, 10**9, 4 * 10**9):
        longest = longest_prompt(MEDGEMMA, WINDOW, free)
        assert memory_needed(MEDGEMMA, longest) <= free < memory_needed(MEDGEMMA, longest + 1)
    assert longest_prompt(MEDGEMMA, WINDOW, 10**12) == WINDOW
    assert longest_prompt(MEDGEMMA, WINDOW, 0) == 0
    assert round(memory_needed(MEDGEMMA, PICTURES) / GB, 1) == 9.1  # as the document says


def test_frequencies_are_those_of_transformers() -> None:
    transformers = pytest.importorskip("transformers")
    from transformers.models.gemma3.modeling_gemma3 import Gemma3RotaryEmbedding

    config = transformers.Gemma3TextConfig(
        head_dim=SHAPE.head_dim,
        rope_parameters={
            FULL: {"rope_type": "linear", "rope_theta": 1e6, "factor": 8.0},
            SLIDING: {"rope_type": "default", "rope_theta": 1e4},
        },
    )
    theirs = Gemma3RotaryEmbedding(config)
    for kind, found in frequencies(MEDGEMMA).items():
        expected = getattr(theirs, f"{kind}_inv_freq").numpy()
        assert found.dtype == np.float32
        np.testing.assert_allclose(found, expected, rtol=3e-7)


@pytest.mark.parametrize(
    ("ids", "most", "expected"),
    [
        ([1, 2, 3, 4, 5], 2, [[1, 2], [3, 4], [5]]),
        ([1, 9, 9, 9, 2, 9, 9, 9, 3], 5, [[1, 9, 9, 9, 2], [9, 9, 9, 3]]),
        ([1, 9, 9, 9, 2, 9, 9, 9, 3], 4, [[1, 9, 9, 9], [2, 9, 9, 9], [3]]),
        ([1, 2, 9, 9, 9, 3], 4, [[1, 2], [9, 9, 9, 3]]),
        ([9, 9, 9, 1], 2, [[9, 9, 9], [1]]),  # an image is never parted
        ([1, 9, 9, 9], 1, [[1], [9, 9, 9]]),
        ([], 4, []),
    ],
)
def test_chunks_part_no_image(ids: list[int], most: int, expected: list[list[int]]) -> None:
    assert list(chunks(ids, IMAGE, most)) == expected
