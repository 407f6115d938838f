"""What this machine can do at most: `python -m benchmarks.medgemma.ceilings` prints it as JSON.

Each rate is the best of several trials and libraries, so a ceiling is never an unlucky moment's.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec

import numpy as np
import psutil
from numpy.typing import NDArray

from benchmarks.checkpoint.shapes import Shape, Text, Vision
from healer.hardware import instruction_sets, processor

# Rows, inner and columns: vision's widest matrix and the language model's, at their own lengths.
SHAPES = {"vision": (4096, 1152, 4304), "language": (334, 2560, 10240)}
SMALL = {"vision": (64, 32, 64), "language": (37, 64, 128)}
INTERESTING = ("avx2", "avx512f", "avx512_vnni", "avx512_bf16", "avx_vnni", "amx_int8", "amx_bf16")
BUFFER_BYTES = 1 << 30
TRIALS = 5

Trial = Callable[[], object]


def measure(shapes: dict[str, tuple[int, int, int]], buffer_bytes: int) -> dict[str, object]:
    """Bytes and operations a second, with the library each was reached through."""
    rates = [rate for shape in shapes.items() for rate in matrix_rates(*shape)]
    return {**machine(), "read": read_rate(buffer_bytes), "matrices": rates}


def machine() -> dict[str, object]:
    name, flags = processor()
    return {
        "processor": name,
        "features": [flag for flag in INTERESTING if flag in flags],
        "cores": len(os.sched_getaffinity(0)),
        "memory": psutil.virtual_memory().total,
    }


def read_rate(buffer_bytes: int) -> float:
    """Bytes a second that all cores together read from memory."""
    cores = len(os.sched_getaffinity(0))
    buffer = np.ones(buffer_bytes // 8, np.uint64)
    parts = np.array_split(buffer, cores)
    with ThreadPoolExecutor(cores) as pool:
        return buffer.nbytes / best(lambda: list(pool.map(np.bitwise_or.reduce, parts)))


def best(trial: Trial) -> float:
    """Seconds of the quickest of some trials, after one that does not count."""
    trial()
    times = []
    for _ in range(TRIALS):
        started = time.perf_counter()
        trial()
        times.append(time.perf_counter() - started)
    return max(min(times), 1e-9)


def matrix_rates(name: str, shape: tuple[int, int, int]) -> Iterator[dict[str, object]]:
    rows, inner, columns = shape
    work = 2.0 * rows * inner * columns
    made = np.random.default_rng(0)
    left = made.standard_normal((rows, inner), np.float32)
    right = made.standard_normal((columns, inner), np.float32)
    for library, trials in (("torch", torch_trials), ("openvino", openvino_trials)):
        if find_spec(library):
            for kind, trial in trials(left, right):
                # A cap on the processor (ONEDNN_MAX_CPU_ISA) leaves some kinds without a kernel.
                with suppress(RuntimeError):
                    rate = work / best(trial)
                    yield {"at": name, "type": kind, "through": library, "rate": rate}


def torch_trials(
    left: NDArray[np.float32], right: NDArray[np.float32]
) -> Iterator[tuple[str, Trial]]:
    import torch

    a, b = torch.from_numpy(left), torch.from_numpy(right)
    for kind in (torch.float32, torch.bfloat16):
        x, y = a.to(kind), b.to(kind).T
        yield str(kind).removeprefix("torch."), partial(torch.mm, x, y)
    x, y = (30 * a).to(torch.int8), (30 * b).to(torch.int8).T
    yield "int8", partial(torch._int_mm, x, y)


def openvino_trials(
    left: NDArray[np.float32], right: NDArray[np.float32]
) -> Iterator[tuple[str, Trial]]:
    """int8 rounds its activations in every call, as an engine must. It fails, and bfloat16 too,
    where only ONEDNN_MAX_CPU_ISA forbids them."""

    # isort: split
    import openvino as ov
    from openvino import opset13 as ops

    core = ov.Core()
    scale = np.abs(right).max(axis=1, keepdims=True) / 127
    stored = ops.convert(ops.constant((right / scale).round().astype(np.int8)), "f32")
    weights = {"plain": ops.constant(right), "int8": ops.multiply(stored, ops.constant(scale))}
    kinds = [("float32", "plain", "f32"), ("bfloat16", "plain", "bf16"), ("int8", "int8", "f32")]
    if not {"avx512_vnni", "avx_vnni"} & instruction_sets():
        kinds = kinds[:1]
    for kind, weight, hint in kinds:
        given = ops.parameter(left.shape, np.float32)
        product = ops.matmul(given, weights[weight], False, True)
        config = {"INFERENCE_PRECISION_HINT": hint, "DYNAMIC_QUANTIZATION_GROUP_SIZE": 128}
        compiled = core.compile_model(ov.Model([product], [given]), "CPU", config)
        request = compiled.create_infer_request()
        request.set_input_tensor(ov.Tensor(left))
        yield kind, request.infer


@dataclass(frozen=True, slots=True)
class Rates:
    """Floating-point or integer operations a second, and bytes a second."""

    matrix: float
    attention: float
    read: float


@dataclass(frozen=True, slots=True)
class Floor:
    """Seconds; `decode` is tokens a second."""

    vision: float
    prefill: float
    decode: float

    @property
    def verdict(self) -> float:
        return self.vision + self.prefill

    def answer(self, tokens: int, tiles: int = 1) -> float:
        """Of so many tiles side by side, for which the weights are read once a token."""
        return tiles * self.verdict + tokens / self.decode


def floor(shape: Shape, prompt_tokens: int, rates: Rates, *, weight_bytes: int = 1) -> Floor:
    matrices, attention = vision_operations(shape)
    prefill = 2 * language_weights(shape.text) * prompt_tokens
    read = language_weights(shape.text) + shape.text.vocabulary * shape.text.hidden
    return Floor(
        vision=matrices / rates.matrix + attention / rates.attention,
        prefill=prefill / rates.matrix,
        decode=rates.read / (weight_bytes * read),
    )


def vision_operations(shape: Shape) -> tuple[int, int]:
    """Of one image: those of matrices with weights, and those of attention."""
    vision = shape.vision
    patches = vision.positions
    weights = vision.layers * vision_layer(vision) + vision.hidden * 3 * vision.patch**2
    projector = 2 * vision.hidden * shape.text.hidden * vision.tokens
    return 2 * weights * patches + projector, 4 * vision.layers * patches**2 * vision.hidden


def vision_layer(vision: Vision) -> int:
    return 4 * vision.hidden**2 + 2 * vision.hidden * vision.intermediate


def language_weights(text: Text) -> int:
    """Of all layers' matrices; neither the embedding nor the head."""
    attention = 2 * text.hidden * (text.heads + text.kv_heads) * text.head_dim
    return text.layers * (attention + 3 * text.hidden * text.intermediate)


if __name__ == "__main__":
    tiny = sys.argv[1:] == ["tiny"]
    found = measure(SMALL, 1 << 20) if tiny else measure(SHAPES, BUFFER_BYTES)
    sys.stdout.write(json.dumps(found) + "\n")
