from __future__ import annotations

from typing import Literal

import numpy as np
import openvino as ov
import pytest
from numpy.typing import NDArray
from openvino import opset13 as ops

from healer.conversion.weights import (
    LEVELS,
    Quantized,
    Stored,
    quantize,
)

Kind = Literal["int8", "int4"]
KINDS: list[Kind] = ["int8", "int4"]


def weight(rows: int, columns: int) -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(size=(rows, columns)).astype(np.float32)


def levels_of(floats: NDArray[np.float32], kind: Kind) -> Quantized:
    return quantize(lambda rows: floats[rows], floats.shape, kind)


def restored(found: Quantized) -> NDArray[np.float32]:
    zero = 0 if found.zero is None else found.zero
    floats = (found.values.astype(np.float32) - zero) * found.scale
    return floats.reshape(len(floats), -1)


def computed(node: object) -> NDArray[np.float32]:
    """The node's value as OpenVINO's CPU plugin has it, in float32."""
    model = ov.Model([ops.result(node)], [], "value")
    compiled = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found: NDArray[np.float32] = compiled([])[0]
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_no_weight_is_off_by_more_than_a_step(kind: Kind) -> None:
    floats = weight(8, 256)
    found = levels_of(floats, kind)
    off = np.abs(restored(found) - floats).reshape(found.values.shape)
    assert (off <= found.scale * 1.001).all()
    assert off.mean() < found.scale.mean() / 3


def test_int4_has_a_scale_for_every_128_weights() -> None:
    assert levels_of(weight(4, 256), "int4").scale.shape == (4, 2, 1)
    assert levels_of(weight(4, 64), "int4").scale.shape == (4, 1, 1)
    assert levels_of(weight(4, 256), "int8").scale.shape == (4, 1, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_weights_on_levels_are_kept_exactly(kind: Kind) -> None:
    highest = LEVELS[kind]
    levels = np.arange(highest + 1)[None] - highest // 2
    floats = (levels / 64).astype(np.float32)
    np.testing.assert_array_equal(restored(levels_of(floats, kind)), floats)


def test_rows_of_one_sign_and_of_zeros_are_held() -> None:
    floats = np.stack([np.full(64, 3.0), np.full(64, -3.0), np.zeros(64)]).astype(np.float32)
    np.testing.assert_allclose(restored(levels_of(floats, "int8")), floats, rtol=1e-6)


def test_a_long_weight_is_read_piece_by_piece() -> None:
    floats = weight(40_000, 2)
    requested: list[int] = []

    def read(rows: slice) -> NDArray[np.float32]:
        requested.append(len(floats[rows]))
        return floats[rows]

    found = quantize(read, floats.shape, "int8")
    assert max(requested) < 20_000
    np.testing.assert_allclose(restored(found), floats, atol=float(found.scale.max()))


@pytest.mark.parametrize("kind", KINDS)
def test_the_graph_holds_the_same_numbers(kind: Kind) -> None:
    found = levels_of(weight(6, 256), kind)
    matrix = computed(Stored(found, "w").matrix())
    np.testing.assert_allclose(matrix, restored(found), rtol=1e-6, atol=1e-7)


def test_rows_are_taken_without_the_others() -> None:
    found = levels_of(weight(6, 64), "int8")
    rows = computed(Stored(found, "w").rows(ops.constant(np.array([[4, 1]]))))
    np.testing.assert_allclose(rows, restored(found)[None, [4, 1]], rtol=1e-6, atol=1e-7)
