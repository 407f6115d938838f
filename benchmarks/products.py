"""The products of one vision layer's MLP, by OpenVINO and by our own, in turns.

`python -m benchmarks.products` prints a line each: seconds; those of the products alone, by
OpenVINO's own clock, which averages all runs so far; how often quicker than OpenVINO in bfloat16 in
the same turn, or where there is none than what it chooses itself; the distance from float32 in
lengths of the result; and the kernels.
"""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from benchmarks.checkpoint.shapes import SHAPES
from benchmarks.medgemma.ceilings import INTERESTING
from benchmarks.vision import DEVIATION, distance
from healer.conversion.weights import Stored, quantize
from healer.engines.openvino import linear, products
from healer.engines.openvino.attention import Floats
from healer.engines.openvino.products import Products
from healer.hardware import cores, instruction_sets, processor

# isort: split
import openvino as ov
from openvino import opset13 as ops
from rich.console import Console

VISION = SHAPES["medgemma-4b"].vision
TURNS = 7
BASE, ROUNDED = "bfloat16, weights in 8 bits", "rounded by OpenVINO"
PRODUCTS = ("FullyConnected", "Reference")  # kinds of node; their names go on
say = Console(soft_wrap=True, highlight=False).print

# How each is stored, whether activations are rounded in the graph, and what OpenVINO is set to.
WAYS = {
    "float32": ("plain", "f32", 0),
    BASE: ("unsigned", "bf16", 128),
    "bfloat16, weights too": ("plain", "bf16", 0),
    ROUNDED: ("unsigned", "f32", 128),
    "rounded in the graph, bfloat16": ("rounded", "bf16", 0),
    "rounded in the graph, float32": ("rounded", "f32", 0),
    "our own, int16": ("int16", "f32", 0),
    "our own, int8 in parts": ("int8-parts", "f32", 0),
    "our own, int8": ("int8", "f32", 0),
}


@dataclass(slots=True)
class Way:
    request: Any
    seconds: list[float] = field(default_factory=list)
    products: float = 0
    kernels: set[str] = field(default_factory=set)

    def run(self) -> None:
        started = time.perf_counter()
        self.request.infer()
        self.seconds.append(time.perf_counter() - started)
        found = [x for x in self.request.get_profiling_info() if x.node_type.startswith(PRODUCTS)]
        self.products = sum(each.real_time.total_seconds() for each in found)
        self.kernels = {each.exec_type for each in found}


def product(x: Any, weight: Floats, kind: str) -> Any:  # noqa: ANN401
    if kind == "plain":
        return ops.matmul(x, ops.constant(weight), False, True)
    if kind != "rounded":
        stored = Stored(quantize(lambda rows: weight[rows], weight.shape, "int8"), "weight")
        return ops.matmul(x, stored.matrix(), False, True)
    return rounded_product(x, weight)


def rounded_product(x: Any, weight: Floats) -> Any:  # noqa: ANN401
    """Of 8-bit integers: each token's are against its highest."""
    scale = np.abs(weight).max(axis=1, keepdims=True) / np.float32(127)
    stored = ops.convert(ops.constant((weight / scale).round().astype(np.int8)), "f32")
    one = np.float32(1)
    high = ops.maximum(ops.reduce_max(ops.abs(x), np.array([-1]), True), np.float32(1e-9))
    steps = ops.fake_quantize(ops.divide(x, high), -one, one, -one, one, 255)
    found = ops.matmul(steps, ops.multiply(stored, ops.constant(scale)), False, True)
    return ops.multiply(found, high)


def mlp(kind: str) -> ov.Model:
    rng = np.random.default_rng(0)
    width, wide = VISION.hidden, VISION.intermediate
    up, down = (
        DEVIATION * rng.standard_normal(shape, np.float32)
        for shape in ((wide, width), (width, wide))
    )
    x = ops.parameter([1, VISION.positions, width], np.float32)
    normed = ops.mvn(x, np.array([-1]), True, 1e-6, "inside_sqrt")
    between = ops.gelu(ops.add(product(normed, up, kind), np.zeros(wide, np.float32)), "tanh")
    return ov.Model([ops.add(product(between, down, kind), np.zeros(width, np.float32))], [x])


def way(kind: str, hint: str, group: int, tokens: Floats) -> Way:
    config = {
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_NUM_THREADS": cores(),
        "INFERENCE_PRECISION_HINT": hint,
        "DYNAMIC_QUANTIZATION_GROUP_SIZE": group,
        "PERF_COUNT": True,
    }
    model = mlp(kind)
    if kind in products.NUMBERS:
        linear.put_in(model, Products(kind, cores()))
    request = ov.Core().compile_model(model, "CPU", config).create_infer_request()
    request.set_input_tensor(ov.Tensor(tokens))
    request.infer()  # packs the weights
    return Way(request)


def can(kind: str, hint: str, _group: int) -> bool:
    """Below AVX-512 with bfloat16 the plugin fails in it."""
    if kind in products.NUMBERS:  # not those in whose place others are taken
        return products.available() and Products(kind).label == kind
    return hint == "f32" or "avx512_bf16" in instruction_sets()


def main() -> None:
    shape = (1, VISION.positions, VISION.hidden)
    tokens = np.random.default_rng(1).standard_normal(shape, np.float32)
    running = {name: way(*about, tokens) for name, about in WAYS.items() if can(*about)}
    for _ in range(TURNS):
        for each in running.values():
            each.run()
    sure = running["float32"].request.get_output_tensor().data
    say(f"{processor()[0]}: {', '.join(x for x in INTERESTING if x in instruction_sets())}")
    base = running[BASE if BASE in running else ROUNDED].seconds
    for name, each in running.items():
        ratio = statistics.median(a / b for a, b in zip(base, each.seconds, strict=True))
        seconds = statistics.median(each.seconds)
        error = distance(each.request.get_output_tensor().data, sure)
        took = f"{seconds:7.3f} s {each.products:7.3f} s {ratio:6.2f}x"
        say(f"{name:32} {took} {error:9.1e}  {', '.join(sorted(each.kernels))}")


if __name__ == "__main__":
    main()
