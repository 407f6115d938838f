"""Our own attention within a graph: the same answers, and only where it belongs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("openvino")
pytest.importorskip("torch")

import openvino as ov
from openvino import opset13 as ops

from healer.engines.openvino import kernels as compiled
from healer.engines.openvino import loading, products
from healer.engines.openvino.attention import Attention, Kernel, fastest, kernels, replace, why_not
from healer.engines.openvino.conversion_record import VISION
from healer.engines.openvino.model import ARITHMETIC, squared
from tests.conversion.graphs import EXACT, kinds
from tests.engines.openvino.conftest import Load
from tests.gemma import IMAGE_SIZE, PINK

needs_kernel = pytest.mark.skipif(bool(why_not()), reason=f"no kernel: {why_not()}")
TOKENS, HEADS, WIDTH = 50, 2, 24


def turned(x: Any, order: tuple[int, ...] = (0, 2, 1, 3)) -> Any:  # noqa: ANN401
    split = ops.reshape(x, np.array([0, 0, HEADS, WIDTH]), special_zero=True)
    return ops.transpose(split, np.array(order))


def graph(mask: bool = False, causal: bool = False, scores: bool = False) -> ov.Model:
    """Attention as `healer optimize` writes it, or nearly so."""
    inputs = [ops.parameter([-1, TOKENS, HEADS * WIDTH], np.float32) for _ in "qkv"]
    more = [ops.constant(np.zeros((1, 1, TOKENS, TOKENS), np.float32))] if mask else []
    attended = ops.scaled_dot_product_attention(*map(turned, inputs), *more, causal=causal)
    joined = ops.transpose(attended, np.array([0, 2, 1, 3]))
    flat = ops.reshape(joined, np.array([0, 0, HEADS * WIDTH]), special_zero=True)
    results = [ops.result(flat), *([ops.result(attended)] if scores else [])]
    return ov.Model(results, inputs, "attention")


@pytest.mark.parametrize("kernel", Kernel)
@pytest.mark.parametrize("hint", ["f32", "bf16"])
def test_a_graph_answers_as_before(hint: str, kernel: Kernel) -> None:
    if kernel not in kernels():
        pytest.skip("this machine or its compiler does not know it")
    core, ours, config = ov.Core(), graph(), EXACT | {"INFERENCE_PRECISION_HINT": hint}
    assert replace(ours, Attention(kernel)) == 1
    rng = np.random.default_rng(0)
    given = list(rng.standard_normal((3, 2, TOKENS, HEADS * WIDTH), dtype=np.float32))
    found = core.compile_model(ours, "CPU", config)(given)[0]
    expected = core.compile_model(graph(), "CPU", EXACT)(given)[0]
    np.testing.assert_allclose(
        found, expected, atol=2e-3 if hint == "f32" and kernel is Kernel.INT16 else 1e-2
    )


@needs_kernel
@pytest.mark.parametrize("other", ["mask", "causal", "scores"])
def test_another_attention_is_left_alone(other: str) -> None:
    assert replace(graph(**{other: True}), Attention(kernels()[0])) == 0


@needs_kernel
def test_a_converted_model_sees_the_same(shared: Path) -> None:
    core, ours = ov.Core(), ov.Core().read_model(shared / VISION)
    layers = kinds(core.compile_model(shared / VISION, "CPU", EXACT))["Subgraph"]
    kernel = fastest()
    assert kernel is not None
    assert replace(ours, Attention(kernel)) > 0
    compiled = core.compile_model(ours, "CPU", EXACT)
    assert kinds(compiled)["Reference"] > 0
    assert kinds(compiled)["Subgraph"] < layers
    pixels = squared(PINK, IMAGE_SIZE, 2)[None]
    found = compiled(pixels)["features"]
    expected = core.compile_model(shared / VISION, "CPU", EXACT)(pixels)["features"]
    allowed = 1e-3 if kernel is Kernel.INT16 else 1e-2
    assert np.linalg.norm(found - expected) < allowed * np.linalg.norm(expected)


@needs_kernel
def test_it_is_used_and_reported_unless_float32_is_requested(shared: Path, load: Load) -> None:
    kernel, used = fastest(), load(shared).info.dtype
    assert kernel is not None
    assert f"{kernel.label}-attention" in used or used.startswith(kernel.label)
    assert load(shared, dtype="float32").info.dtype == "float32"


def test_without_it_openvino_attends(
    shared: Path, load: Load, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(compiled, "LIBRARY", tmp_path / "libkernels.so")
    used = load(shared).info.dtype
    assert used.split("+")[0] in ARITHMETIC.values()
    assert "-attention" not in used


@needs_kernel
def test_only_graphs_without_it_are_cached_compiled(converted: Path, load: Load) -> None:
    """What OpenVINO keeps of ours it never finds again, and would write at every start."""
    for _ in range(2):
        load(converted)
    place = loading.compiled_cache(converted)
    assert place
    # With our own products the language graph is changed, too.
    assert len(list(place.glob("*.blob"))) == (0 if products.available() else 1)


@needs_kernel
@pytest.mark.skipif(len(os.sched_getaffinity(0)) < 2, reason="there is one processor only")
def test_threads_are_not_bound_to_the_processor_of_their_maker() -> None:
    """OpenVINO binds the thread that calls it: were ours bound with it, they would share one."""
    code = """
import os, threading, time
import numpy as np
from healer.engines.openvino.attention import Attention, fastest
ours, all_of_them = Attention(fastest(), 2), os.sched_getaffinity(0)
x = np.ones((1, 2000, 72), np.float32)
caller = threading.Thread(target=lambda: (
    os.sched_setaffinity(0, {min(all_of_them)}), [ours(x, x, x, 1, x.copy()) for _ in range(20)]
))
caller.start()
caller.join()  # threads that were made for it wait for the next call
known = {threading.main_thread().native_id, caller.native_id}
others = set(map(int, os.listdir("/proc/self/task"))) - known
seen = {len(os.sched_getaffinity(task)) for task in others}
assert seen == {len(all_of_them)}, seen
"""
    subprocess.run(
        [sys.executable, "-c", code], check=True, env={**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    )
