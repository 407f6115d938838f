"""One attention layer of MedGemma's vision tower: ours, OpenVINO's and torch's, turn by turn.

`python -m benchmarks.attention` prints a line each: seconds, the rate, how often quicker than
OpenVINO in float32 in the same turn, seconds of all cores together (which hardly change when others
compute beside it), and the distance from float64 in lengths of the result.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from benchmarks.medgemma.ceilings import INTERESTING
from healer.engines.openvino.attention import Attention, Floats, Kernel, kernels
from healer.hardware import instruction_sets, processor

# isort: split
import openvino as ov
import torch
from openvino import opset13 as ops
from rich.console import Console

TOKENS, HEADS, WIDTH = 4096, 16, 72
SHAPE = (1, TOKENS, HEADS * WIDTH)
OPERATIONS = 4 * TOKENS**2 * HEADS * WIDTH
ROWS = slice(0, TOKENS, 64)  # compared with float64
TURNS = 9
BASE = "openvino float32"
say = Console(soft_wrap=True, highlight=False).print

Layer = Callable[[], Floats]


def layers(q: Floats, k: Floats, v: Floats) -> Iterator[tuple[str, Layer]]:
    yield BASE, by_openvino("f32", q, k, v)
    yield "torch float32", by_torch(torch.float32, q, k, v)
    if "avx512_bf16" in instruction_sets():
        yield "openvino bfloat16", by_openvino("bf16", q, k, v)
        yield "torch bfloat16", by_torch(torch.bfloat16, q, k, v)
    for kernel in kernels():
        yield f"ours, {kernel.label}", by_ours(kernel, q, k, v)


def by_ours(kernel: Kernel, q: Floats, k: Floats, v: Floats) -> Layer:
    ours, out = Attention(kernel, len(os.sched_getaffinity(0))), np.empty_like(q)

    def run() -> Floats:
        ours(q, k, v, HEADS, out)
        return out

    return run


def by_openvino(hint: str, *inputs: Floats) -> Layer:
    places = [ops.parameter(SHAPE, np.float32) for _ in inputs]
    split, turn = np.array([0, 0, HEADS, WIDTH]), np.array([0, 2, 1, 3])
    heads = [ops.transpose(ops.reshape(x, split, special_zero=True), turn) for x in places]
    joined = ops.transpose(ops.scaled_dot_product_attention(*heads), turn)
    graph = ov.Model([ops.reshape(joined, np.array(SHAPE), special_zero=False)], places, "layer")
    config = {"PERFORMANCE_HINT": "LATENCY", "INFERENCE_PRECISION_HINT": hint}
    request = ov.Core().compile_model(graph, "CPU", config).create_infer_request()
    return lambda: np.asarray(request.infer(list(inputs))[0])


def by_torch(kind: torch.dtype, *inputs: Floats) -> Layer:
    split = [torch.from_numpy(x).to(kind).view(1, TOKENS, HEADS, WIDTH) for x in inputs]

    def run() -> Floats:
        q, k, v = (x.transpose(1, 2) for x in split)
        found = torch.nn.functional.scaled_dot_product_attention(q, k, v)
        return np.asarray(found.transpose(1, 2).reshape(SHAPE).float())

    return run


def exact(q: Floats, k: Floats, v: Floats) -> NDArray[np.float64]:
    """ROWS of the result, in float64."""
    split = (TOKENS, HEADS, WIDTH)
    a, b, c = (x.astype(np.float64).reshape(split).transpose(1, 0, 2) for x in (q, k, v))
    scores = a[:, ROWS] @ b.swapaxes(1, 2) / np.sqrt(WIDTH)
    weights = np.exp(scores - scores.max(axis=-1, keepdims=True))
    found = weights / weights.sum(axis=-1, keepdims=True) @ c
    return np.asarray(found.transpose(1, 0, 2).reshape(-1, HEADS * WIDTH))


def main() -> None:
    q, k, v = np.random.default_rng(0).standard_normal((3, *SHAPE), dtype=np.float32)
    sure, running = exact(q, k, v), dict(layers(q, k, v))
    errors = {name: distance(run()[0, ROWS], sure) for name, run in running.items()}
    seconds: dict[str, list[float]] = {name: [] for name in running}
    used: dict[str, list[float]] = {name: [] for name in running}
    for _ in range(TURNS):
        for name, run in running.items():
            started, before = time.perf_counter(), time.process_time()
            run()
            seconds[name].append(time.perf_counter() - started)
            used[name].append(time.process_time() - before)
    say(f"{processor()[0]}: {', '.join(x for x in INTERESTING if x in instruction_sets())}")
    heads = ("median s", "least s", "GFLOP/s", "quicker", "core s", "error")
    say(f"{'':20} {' '.join(f'{head:>9}' for head in heads)}")
    for name, times in seconds.items():
        middle = statistics.median(times)
        ratio = statistics.median(a / b for a, b in zip(seconds[BASE], times, strict=True))
        speed = f"{OPERATIONS / middle / 1e9:9.0f} {ratio:8.2f}x"
        cores = f"{statistics.median(used[name]):9.3f}"
        say(f"{name:20} {middle:9.3f} {min(times):9.3f} {speed} {cores} {errors[name]:9.1e}")


def distance(found: Floats, sure: NDArray[np.float64]) -> float:
    return float(np.linalg.norm(found - sure) / np.linalg.norm(sure))


if __name__ == "__main__":
    main()
