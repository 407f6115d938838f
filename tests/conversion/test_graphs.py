from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import openvino as ov
import pytest
from openvino import opset13 as ops

from healer.conversion.attention import attention_mask, image_blocks
from healer.engines.openvino.model import squared
from tests.conversion.graphs import Graphs, Torch, kinds
from tests.gemma import IMAGE_SIZE, PINK

MORE = [11, 40, 12, 300, 13]
PIXELS = squared(PINK, IMAGE_SIZE, 2)[None]
ROUNDING = 2e-4  # of float32, in another order


@pytest.fixture(scope="module")
def graphs(exact: Path) -> Graphs:
    return Graphs(exact)


@pytest.fixture(scope="module")
def torch_model(exact: Path) -> Torch:
    return Torch(exact)


def test_image_tokens_are_those_of_transformers(graphs: Graphs, torch_model: Torch) -> None:
    expected = torch_model.features()
    assert np.abs(expected).max() > 0.5
    np.testing.assert_allclose(graphs.features(PIXELS)[0], expected, atol=ROUNDING)


def test_tiles_of_one_batch_do_not_mix(graphs: Graphs) -> None:
    other = np.flip(np.arange(PIXELS.size, dtype=np.uint32).astype(np.uint8)).reshape(PIXELS.shape)
    both = graphs.features(np.concatenate([PIXELS, other]))
    np.testing.assert_allclose(both[0], graphs.features(PIXELS)[0], atol=ROUNDING)
    np.testing.assert_allclose(both[1], graphs.features(other)[0], atol=ROUNDING)


def test_logits_are_those_of_transformers(graphs: Graphs, torch_model: Torch) -> None:
    expected = torch_model.logits([])[-1]
    assert np.ptp(expected) > 1
    found = graphs.text().step(torch_model.ids, torch_model.features())
    np.testing.assert_allclose(found, expected, atol=ROUNDING)


def test_image_tokens_see_each_other_both_ways(graphs: Graphs, torch_model: Torch) -> None:
    """Transformers with a causal mask alone is raised apart from what we compute."""
    one_way = torch_model.logits([], both_ways=False)[-1]
    found = graphs.text().step(torch_model.ids, torch_model.features())
    assert np.abs(found - one_way).max() > 20 * ROUNDING


def test_tokens_one_by_one_are_those_of_transformers(graphs: Graphs, torch_model: Torch) -> None:
    expected = torch_model.logits(MORE)[-len(MORE) - 1 :]
    text = graphs.text()
    found = [text.step(torch_model.ids, torch_model.features())]
    found += [text.step([token]) for token in MORE]
    np.testing.assert_allclose(np.stack(found), expected, atol=ROUNDING)


def test_a_prompt_in_two_pieces_is_the_prompt(graphs: Graphs, torch_model: Torch) -> None:
    ids, features = torch_model.ids, torch_model.features()
    end = len(ids) - 7
    text = graphs.text()
    text.step(ids[:end], features)
    whole = graphs.text().step(ids, features)
    np.testing.assert_allclose(text.step(ids[end:]), whole, atol=ROUNDING)


def test_texts_do_not_share_a_cache(graphs: Graphs, torch_model: Torch) -> None:
    alone = graphs.text().step([2, 11, 12])
    busy = graphs.text()
    busy.step(torch_model.ids, torch_model.features())
    np.testing.assert_array_equal(graphs.text().step([2, 11, 12]), alone)


def test_four_bits_are_near(checkpoint: Path) -> None:
    graphs, torch_model = Graphs(checkpoint, "int4"), Torch(checkpoint)
    expected = torch_model.logits([])[-1]
    found = graphs.text().step(torch_model.ids, torch_model.features())
    off = np.sqrt(np.mean((found - expected) ** 2)) / expected.std()
    assert 0.05 < off < 0.7


@pytest.mark.parametrize("window", [None, 4, 2])
def test_two_images_do_not_see_each_other(window: int | None) -> None:
    seen = ops.parameter([-1], np.int32)
    past = ops.parameter([1], np.int64)
    mask = attention_mask(past, image_blocks(seen), window)
    compiled = ov.Core().compile_model(ov.Model([ops.result(mask)], [past, seen], "m"), "CPU")
    image = np.array([0, 1, 1, 0, 1, 1, 1], np.int32)
    found = compiled([np.array([2]), image])[0][0, 0] == 0
    number = np.array([0, 0, 0, 1, 1, 0, 2, 2, 2])
    row, column = np.arange(2, 9)[:, None], np.arange(9)
    together = (number[2:, None] == number) & (number > 0)
    expected = (column <= row) | together
    if window is not None:
        expected &= column > row - window
    np.testing.assert_array_equal(found, expected)


def test_the_plugin_fuses_what_it_should(graphs: Graphs) -> None:
    text: Any = graphs.config.text_config
    layers = text.num_hidden_layers
    found = kinds(graphs.language)
    assert found["ScaledDotProductAttention"] == layers
    assert found["RoPE"] == 2 * layers
    assert found["RMS"] == 6 * layers + 1
    assert found["FullyConnected"] == 7 * layers + 1
    assert found["MemoryInput"] == found["MemoryOutput"] == 2 * layers
    # Of a chunk, which no step computes: over given keys and values, and those joined with its own.
    assert found["MatMul"] == 2 * layers
    assert found["Softmax"] == layers
    # Keys and values are appended and repeated for their query heads inside a step's attention:
    # what is joined besides is a step's and a chunk's output, the columns of two masks for each,
    # the images' starts and the rows of features.
    assert found["Concatenation"] == 3 * layers + 6


def test_weights_stay_integers_in_the_plugin(graphs: Graphs) -> None:
    for layer in graphs.language.get_runtime_model().get_ops():
        if str(layer.get_rt_info()["layerType"].astype(str)) == "FullyConnected":
            weight = layer.input_value(1).get_node()
            assert weight.get_output_element_type(0) in (ov.Type.u8, ov.Type.i8)


def test_the_embedding_is_there_once(graphs: Graphs) -> None:
    text: Any = graphs.config.text_config
    shape = [text.vocab_size, text.hidden_size]
    constants = [
        node
        for node in graphs.built.get_ops()
        if node.get_type_name() == "Constant" and list(node.get_output_shape(0)) == shape
    ]
    assert [node.get_output_element_type(0) for node in constants] == [ov.Type.u8]
