"""One feed-forward layer of MedGemma's language model, by OpenVINO and by our own, turn by turn.

`python -m benchmarks.feedforward` prints a line each: milliseconds a layer, how often quicker than
in float32 in the same turn, seconds of all cores together, and the distance of the result from
float64 in lengths of it. `ONEDNN_MAX_CPU_ISA` caps the processor.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.medgemma.ceilings import INTERESTING
from healer.conversion.weights import Stored, quantize
from healer.engines.openvino import linear, products
from healer.engines.openvino.loading import EXACT, PRECISION, UNROUNDED, rounding
from healer.engines.openvino.products import Products
from healer.hardware import cores, has_amx, instruction_sets, processor

# isort: split
import openvino as ov
from openvino import opset13 as ops
from rich.console import Console

HIDDEN, WIDE = 2560, 10240
LAYERS = 2  # whose weights no cache of a core can hold
TOKENS = {"an image and the prompt before it": 263, "a question": 71, "an answer's token": 1}
TURNS = 7
BASE = "float32, groups of 128"
BFLOAT16 = {PRECISION: "bf16"}
say = Console(soft_wrap=True, highlight=False).print

Floats = NDArray[np.float32]
Matrices = list[tuple[Floats, Floats, Floats]]


def ways() -> Iterator[tuple[str, Products | None, dict[str, Any]]]:
    """Whose products, and OpenVINO's settings."""
    yield BASE, None, rounding() | EXACT
    if has_amx():
        yield "bfloat16", None, BFLOAT16 | UNROUNDED
    if products.available():
        for activations in products.NUMBERS:
            ours = Products(activations, cores())
            if ours.label == activations:  # others are taken in place of those that are slow here
                yield f"our own, {activations}", ours, UNROUNDED | EXACT


def stored(matrix: Floats, name: str) -> Any:  # noqa: ANN401
    return Stored(quantize(lambda rows: matrix[rows], matrix.shape, "int8"), name).matrix()


def compiled(matrices: Matrices, ours: Products | None, config: dict[str, Any]) -> Any:  # noqa: ANN401
    given = ops.parameter([1, -1, HIDDEN], np.float32)
    x: Any = given
    for number, layer in enumerate(matrices):
        gate, up, down = (stored(each, f"{number}") for each in layer)
        wide = ops.multiply(
            ops.gelu(ops.matmul(x, gate, False, True), "tanh"), ops.matmul(x, up, False, True)
        )
        x = ops.add(x, ops.matmul(wide, down, False, True))
    model = ov.Model([x.output(0)], [given], "layers")
    if ours is not None:
        linear.put_in(model, ours)
    return ov.Core().compile_model(model, "CPU", config).create_infer_request()


def exact(matrices: Matrices, x: Floats) -> NDArray[np.float64]:
    found = x[0].astype(np.float64)
    for gate, up, down in matrices:
        a = found @ gate.T
        a *= 0.5 * (1 + np.tanh(np.sqrt(2 / np.pi) * (a + 0.044715 * a**3)))
        found = found + (a * (found @ up.T)) @ down.T
    return np.asarray(found)


def main() -> None:
    made = np.random.default_rng(0)
    shapes = [(WIDE, HIDDEN), (WIDE, HIDDEN), (HIDDEN, WIDE)]
    matrices: Any = [
        [made.standard_normal(shape, np.float32) * np.float32(0.02) for shape in shapes]
        for _ in range(LAYERS)
    ]
    requests = {name: compiled(matrices, ours, config) for name, ours, config in ways()}
    say(f"{processor()[0]}: {', '.join(x for x in INTERESTING if x in instruction_sets())}")
    for what, tokens in TOKENS.items():
        x = made.standard_normal((1, tokens, HIDDEN), np.float32)
        say(f"{what}: {tokens}")
        compare(requests, x, exact(matrices, x) - x[0], x)


def compare(requests: dict[str, Any], x: Floats, sure: NDArray[np.float64], was: Floats) -> None:
    found = {name: request.infer([x])[0][0] for name, request in requests.items()}
    wall: dict[str, list[float]] = {name: [] for name in requests}
    cores: dict[str, list[float]] = {name: [] for name in requests}
    for _ in range(TURNS):
        for name, request in requests.items():
            started, spent = time.perf_counter(), time.process_time()
            request.infer([x])
            wall[name].append((time.perf_counter() - started) / LAYERS)
            cores[name].append((time.process_time() - spent) / LAYERS)
    for name, times in wall.items():
        ratio = statistics.median(a / b for a, b in zip(wall[BASE], times, strict=True))
        error = np.linalg.norm(found[name] - was[0] - sure) / np.linalg.norm(sure)
        middle = f"{statistics.median(times) * 1e3:8.1f} ms {ratio:6.2f}x"
        say(f"  {name:24} {middle} {min(cores[name]):8.4f} core s {error:9.1e}")


if __name__ == "__main__":
    main()
