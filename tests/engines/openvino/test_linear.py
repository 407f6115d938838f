"""Our own products within a graph: the same answers, and only where they belong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("openvino")
pytest.importorskip("torch")

import openvino as ov
from openvino import opset13 as ops

from healer.conversion.weights import Stored, quantize
from healer.engines.openvino import kernels, linear, products
from healer.engines.openvino.conversion_record import LANGUAGE, VISION, read_conversion
from healer.engines.openvino.graph import Graph
from healer.engines.openvino.model import squared
from healer.engines.openvino.products import Products
from healer.engines.openvino.run import RuntimeRun
from tests.conversion.graphs import EXACT, kinds
from tests.engines.openvino.conftest import Load
from tests.gemma import IMAGE_SIZE, PINK

needs_products = pytest.mark.skipif(
    not products.available(), reason="no AVX-512 VNNI, or not compiled"
)
WIDTH, WIDE = 96, 160


def weight(rows: int, columns: int, kind: Any = "int8") -> Any:  # noqa: ANN401
    made = np.random.default_rng(rows).standard_normal((rows, columns), np.float32)
    floats = made / np.float32(columns)
    return Stored(quantize(lambda part: floats[part], floats.shape, kind), "weight").matrix()


def given() -> Any:  # noqa: ANN401
    return ops.parameter([1, -1, WIDTH], np.float32)


def product(x: Any, rows: int, columns: int = WIDTH) -> Any:  # noqa: ANN401
    return ops.matmul(x, weight(rows, columns), False, True)


def biased(x: Any, rows: int, columns: int = WIDTH) -> Any:  # noqa: ANN401
    return ops.add(product(x, rows, columns), np.linspace(-1, 1, rows, dtype=np.float32))


def gated(x: Any) -> Any:  # noqa: ANN401
    gate = ops.gelu(product(x, WIDE), "tanh")
    return product(ops.multiply(gate, product(x, WIDE)), WIDTH, WIDE)


def plain(x: Any) -> Any:  # noqa: ANN401
    return biased(ops.gelu(biased(x, WIDE), "tanh"), WIDTH, WIDE)


def attention(x: Any) -> Any:  # noqa: ANN401
    """Three products of the same activations, and one of theirs."""
    a, b, c = (biased(x, rows) for rows in (WIDTH, WIDTH, WIDTH))
    return product(ops.add(ops.add(a, b), c), 40)


def exact_gelu(x: Any) -> Any:  # noqa: ANN401
    return product(ops.gelu(product(x, WIDE), "erf"), WIDTH, WIDE)


@needs_products
@pytest.mark.parametrize(
    ("build", "ours", "nodes"),
    [(product, 1, 1), (gated, 3, 1), (plain, 2, 1), (attention, 4, 2), (exact_gelu, 2, 2)],
)
@pytest.mark.parametrize("tokens", [1, 40])
def test_a_graph_answers_as_before(build: Any, ours: int, nodes: int, tokens: int) -> None:  # noqa: ANN401
    arguments = (WIDTH,) if build is product else ()
    x = given()
    before, core = ov.Model([build(x, *arguments).output(0)], [x], "before"), ov.Core()
    x = given()
    after = ov.Model([build(x, *arguments).output(0)], [x], "after")
    assert linear.put_in(after, Products("int16")) == ours
    compiled = core.compile_model(after, "CPU", EXACT)
    assert kinds(compiled)["Reference"] == nodes
    values = np.random.default_rng(1).standard_normal((1, tokens, WIDTH), np.float32)
    expected = core.compile_model(before, "CPU", EXACT)([values])[0]
    np.testing.assert_allclose(compiled([values])[0], expected, atol=2e-4 * np.abs(expected).max())


@needs_products
def test_other_products_are_left_alone() -> None:
    x = given()
    of_4_bits = ops.matmul(x, weight(64, WIDTH, "int4"), False, True)
    of_floats = ops.matmul(x, np.ones((WIDTH, 64), np.float32), False, False)
    turned = ops.matmul(x, ops.transpose(weight(64, WIDTH), np.array([1, 0])), False, False)
    outputs = [each.output(0) for each in (of_4_bits, of_floats, turned)]
    assert linear.put_in(ov.Model(outputs, [x], "others"), Products()) == 0


@needs_products
def test_what_is_used_elsewhere_too_stays() -> None:
    """The gate of a feed-forward layer, say, that is an output as well."""
    x = given()
    gate = ops.gelu(product(x, WIDE), "tanh")
    narrow = product(ops.multiply(gate, product(x, WIDE)), WIDTH, WIDE)
    model = ov.Model([narrow.output(0), gate.output(0)], [x], "two")
    assert linear.put_in(model, Products()) == 3
    assert kinds(ov.Core().compile_model(model, "CPU", EXACT))["Reference"] == 2


@needs_products
def test_a_converted_model_answers_the_same(shared: Path) -> None:
    core, run, attention = ov.Core(), [], read_conversion(shared).attention
    for ours in (None, Products("int16")):
        seeing, reading = core.read_model(shared / VISION), core.read_model(shared / LANGUAGE)
        if ours is not None:
            assert linear.put_in(seeing, ours) > 0
            assert linear.put_in(reading, ours) > 0
        pixels = squared(PINK, IMAGE_SIZE, 2)[None]
        features = core.compile_model(seeing, "CPU", EXACT)(pixels)["features"]
        text = RuntimeRun(Graph(core.compile_model(reading, "CPU", EXACT), attention))
        run.append((features, [text.step([2, 11, 12, 13]), text.step([14])]))
    (features, logits), (ours_features, ours_logits) = run
    assert np.linalg.norm(ours_features - features) < 1e-3 * np.linalg.norm(features)
    np.testing.assert_allclose(ours_logits, logits, atol=2e-3)


@needs_products
def test_they_are_used_and_reported_unless_float32_is_requested(shared: Path, load: Load) -> None:
    assert load(shared).info.dtype.endswith(("+int8-products", "+int16-products"))
    assert load(shared, dtype="float32").info.dtype == "float32"


def test_without_them_openvino_multiplies(
    shared: Path, load: Load, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(kernels, "LIBRARY", tmp_path / "libkernels.so")
    assert not products.available()
    assert "products" not in load(shared).info.dtype
