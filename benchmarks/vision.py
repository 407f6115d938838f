"""MedGemma's vision tower alone, with random weights: each way to compute it, turn by turn.

`python -m benchmarks.vision` prints a line each: seconds an image, how often quicker than OpenVINO
alone in the same turn, and the distance of the features from float32's in lengths of these. Then a
line for each kind of layer, by OpenVINO's own clock. `ONEDNN_MAX_CPU_ISA` caps the processor.
"""

from __future__ import annotations

import os
import statistics
import time
from collections import Counter
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray

from healer.conversion.vision import build_vision
from healer.engines.openvino.attention import Attention, Floats, Kernel, kernels, replace
from healer.engines.openvino.conversion_record import Image
from healer.engines.openvino.loading import FOR_VISION, properties

# isort: split
import openvino as ov
from rich.console import Console

from benchmarks.checkpoint.shapes import SHAPES
from benchmarks.medgemma.ceilings import INTERESTING
from healer.hardware import cores, instruction_sets, processor

SHAPE = SHAPES["medgemma-4b"]
EXACT = {"INFERENCE_PRECISION_HINT": "f32", "DYNAMIC_QUANTIZATION_GROUP_SIZE": 0}
ALONE, USUAL = "OpenVINO", "usual"
SHOWN = 8  # kinds of layers
DEVIATION = 0.02
say = Console(soft_wrap=True, highlight=False).print


class RandomWeights:
    """Those of `build_vision`, made as they are read, by the end of their names."""

    def __init__(self) -> None:
        vision = SHAPE.vision
        width, wide = vision.hidden, vision.intermediate
        self._rng = np.random.default_rng(0)
        self._last: tuple[str, Floats] = ("", np.empty(0, np.float32))
        self._width = width
        self._shapes = {
            "fc1.weight": (wide, width),
            "fc1.bias": (wide,),
            "fc2.weight": (width, wide),
            "proj.weight": (width, width),
            "patch_embedding.weight": (width, 3, vision.patch, vision.patch),
            "position_embedding.weight": (vision.positions, width),
            "mm_input_projection_weight": (width, SHAPE.text.hidden),
        }

    def __contains__(self, name: str) -> bool:
        return True

    def shape(self, name: str) -> tuple[int, ...]:
        found = [shape for end, shape in self._shapes.items() if name.endswith(end)]
        return found[0] if found else (self._width,)

    def read(self, name: str, rows: slice = slice(None)) -> Floats:
        if self._last[0] != name:
            made = DEVIATION * self._rng.standard_normal(self.shape(name), np.float32)
            gain = name.endswith(("norm1.weight", "norm2.weight", "layernorm.weight"))
            self._last = (name, made + np.float32(gain))
        return self._last[1][rows]


def graph(layers: int) -> ov.Model:
    vision = SHAPE.vision
    seen = SimpleNamespace(
        num_hidden_layers=layers,
        hidden_size=vision.hidden,
        num_attention_heads=vision.heads,
        patch_size=vision.patch,
        layer_norm_eps=1e-6,
    )
    half = (0.5, 0.5, 0.5)
    image = Image(
        size=vision.size, tokens=vision.tokens, mean=half, std=half, rescale=1 / 255, resample=2
    )
    weights: Any = RandomWeights()
    config: Any = SimpleNamespace(vision_config=seen)
    return build_vision(weights, config, image, "int8", lambda: None)


@dataclass(slots=True)
class Way:
    """One way to compute it, and what was measured."""

    request: Any
    seconds: list[float] = field(default_factory=list)
    features: Floats = field(default_factory=lambda: np.empty(0, np.float32))

    def run(self, pixels: NDArray[np.uint8]) -> None:
        started = time.perf_counter()
        found = self.request.infer({"pixels": pixels})["features"]
        self.seconds.append((time.perf_counter() - started) / len(pixels))
        self.features = np.array(found)

    def layers(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for each in self.request.get_profiling_info():
            found[f"{each.node_type}, {each.exec_type}"] += each.real_time.total_seconds()
        return found


def compiled(layers: int, config: dict[str, Any], kernel: Kernel | None = None) -> Way:
    model, attention = graph(layers), None
    if kernel is not None:
        attention = Attention(kernel, cores())
        replace(model, attention)
    request = ov.Core().compile_model(model, "CPU", config | {"PERF_COUNT": True})
    return Way(request.create_infer_request())


def ways(layers: int, hints: list[str]) -> dict[str, Way]:
    """As OpenVINO computes it by itself on this processor, and with each attention of ours."""
    usual = properties(cores(), "auto") | FOR_VISION
    found = {ALONE: compiled(layers, usual)}
    for hint in hints:
        config = usual | ({} if hint == USUAL else {"INFERENCE_PRECISION_HINT": hint})
        for kernel in kernels():
            found[f"{kernel.label} attention, {hint}"] = compiled(layers, config, kernel)
    return found


def main(
    layers: Annotated[int, typer.Option(min=1)] = SHAPE.vision.layers,
    turns: Annotated[int, typer.Option(min=1)] = 3,
    batch: Annotated[int, typer.Option(min=1, help="Images at once.")] = 1,
    hints: Annotated[
        str, typer.Option(metavar="A,B,…", help="Precisions with our attention: usual, f32, bf16.")
    ] = USUAL,
) -> None:
    rng = np.random.default_rng(1)
    size = SHAPE.vision.size
    pixels = rng.integers(0, 256, (batch, size, size, 3), dtype=np.uint8)
    exact, running = compiled(layers, EXACT), ways(layers, hints.split(","))
    exact.run(pixels)
    for turn in range(turns + 1):
        for way in running.values():
            way.run(pixels)
            if turn == 0:
                way.seconds.clear()  # the first packs the weights
    say(f"{processor()[0]}: {', '.join(x for x in INTERESTING if x in instruction_sets())}")
    say(f"{layers} layers, images at once: {batch}, cores: {len(os.sched_getaffinity(0))}")
    base = running[ALONE].seconds
    for name, way in {"float32": exact, **running}.items():
        ratio = statistics.median(a / b for a, b in zip(base, way.seconds, strict=False))
        error = np.linalg.norm(way.features - exact.features) / np.linalg.norm(exact.features)
        say(f"{name:32} {statistics.median(way.seconds):8.3f} s {ratio:7.2f}x {error:9.1e}")
    for name, way in running.items():
        say(name)
        for kind, seconds in way.layers().most_common(SHOWN):
            say(f"    {kind:52} {seconds:8.3f} s")


if __name__ == "__main__":
    typer.run(main)
