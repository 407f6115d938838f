from __future__ import annotations

import pytest

from benchmarks.checkpoint.shapes import SHAPES
from benchmarks.checkpoint.weights import parameters
from benchmarks.medgemma.ceilings import Rates, floor, language_weights, vision_operations

SHAPE = SHAPES["medgemma-4b"]


def test_language_weights_are_those_of_the_layers_matrices() -> None:
    matrices = [
        count
        for name, count in parameters(SHAPE).items()
        if ".layers." in name and "language" in name and "norm" not in name
    ]
    assert language_weights(SHAPE.text) == sum(matrices)


def test_visions_operations_by_hand() -> None:
    matrices, attention = vision_operations(SHAPE)
    layer = 4 * 1152**2 + 2 * 1152 * 4304
    assert matrices == 2 * 4096 * (27 * layer + 1152 * 3 * 196) + 2 * 1152 * 2560 * 256
    assert attention == 27 * 4 * 4096**2 * 1152


def test_the_floor_of_published_ceilings() -> None:
    least = floor(SHAPE, 334, Rates(matrix=715e9, attention=350e9, read=29e9))
    assert least.vision == pytest.approx(11, abs=0.5)
    assert least.verdict == pytest.approx(14, abs=0.5)
    assert least.decode == pytest.approx(7.5, abs=0.1)
    assert least.answer(30) == pytest.approx(least.verdict + 30 / least.decode)
