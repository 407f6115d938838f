"""MedGemma's vision tower alone, with random weights: each way to compute it, turn by turn.

`python -m benchmarks.vision` prints a line each: seconds an image, with the least and most; seconds
of all cores together (which hardly change when others compute beside it); how often quicker than
OpenVINO alone with one image in the same turn; and the distance of the features from those of
float32 in lengths of these. Then a line for each kind of layer: its share of all runs, by
OpenVINO's own clock. `ONEDNN_MAX_CPU_ISA` caps the processor.
"""

from __future__ import annotations

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
from healer.engines.openvino import linear, products
from healer.engines.openvino.attention import (
    Attention,
    Floats,
    Kernel,
    fastest,
    kernels,
    replace,
)
from healer.engines.openvino.conversion_record import Image
from healer.engines.openvino.loading import properties, rounding
from healer.engines.openvino.products import Products

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
    """One way to compute it, and by images at once the seconds an image, and those `used` of all
    cores together."""

    request: Any
    seconds: dict[int, list[float]] = field(default_factory=dict)
    used: dict[int, list[float]] = field(default_factory=dict)

    def run(self, pixels: NDArray[np.uint8]) -> Floats:
        started, before, count = time.perf_counter(), time.process_time(), len(pixels)
        found = self.request.infer({"pixels": pixels})["features"]
        self.seconds.setdefault(count, []).append((time.perf_counter() - started) / count)
        self.used.setdefault(count, []).append((time.process_time() - before) / count)
        return np.array(found)

    def layers(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for each in self.request.get_profiling_info():
            found[f"{each.node_type}, {each.exec_type}"] += each.real_time.total_seconds()
        return found


def compiled(
    layers: int,
    config: dict[str, Any],
    kernel: Kernel | None = None,
    ours: Products | None = None,
) -> Way:
    model = graph(layers)
    if ours is not None:
        linear.put_in(model, ours)
    if kernel is not None:
        replace(model, Attention(kernel, cores()))
    request = ov.Core().compile_model(model, "CPU", config | {"PERF_COUNT": True})
    return Way(request.create_infer_request())


def ways(layers: int, hints: list[str]) -> dict[str, Way]:
    """As OpenVINO computes it by itself on this processor, with each attention of ours, and with
    our products besides."""
    usual = properties(cores(), "auto") | rounding()
    found = {ALONE: compiled(layers, usual)}
    for hint in hints:
        config = usual | ({} if hint == USUAL else {"INFERENCE_PRECISION_HINT": hint})
        for kernel in kernels():
            found[f"{kernel.label} attention, {hint}"] = compiled(layers, config, kernel)
    if products.available():
        for activations in products.NUMBERS:
            ours = Products(activations, cores())
            if ours.label == activations:
                name = f"attention and {activations} products"
                found[name] = compiled(layers, EXACT, fastest(), ours)
    return found


def main(
    layers: Annotated[int, typer.Option(min=1)] = SHAPE.vision.layers,
    turns: Annotated[int, typer.Option(min=1)] = 3,
    batches: Annotated[str, typer.Option(metavar="A,B,…", help="Images at once.")] = "1",
    hints: Annotated[
        str, typer.Option(metavar="A,B,…", help="Precisions with our attention: usual, f32, bf16.")
    ] = USUAL,
) -> None:
    counts = [int(count) for count in batches.split(",")]
    size = SHAPE.vision.size
    pixels = np.random.default_rng(1).integers(0, 256, (max(counts), size, size, 3), np.uint8)
    sure = compiled(layers, EXACT).run(pixels[:1])
    running = ways(layers, hints.split(","))
    # The first turn packs the weights, and does not count.
    errors = {name: distance(way.run(pixels[:1]), sure) for name, way in running.items()}
    for way in running.values():
        way.seconds.clear()
        way.used.clear()
    for _ in range(turns):
        for count in counts:
            for way in running.values():
                way.run(pixels[:count])
    say(f"{processor()[0]}: {', '.join(x for x in INTERESTING if x in instruction_sets())}")
    say(f"{layers} layers on {cores()} cores, medians of {turns} turns; seconds are of one image")
    for count in counts:
        show(count, running, errors)
    for name, way in running.items():
        say(name)
        layers_took = way.layers()
        for kind, seconds in layers_took.most_common(SHOWN):
            say(f"    {kind:52} {seconds / layers_took.total():6.1%}")


def show(count: int, running: dict[str, Way], errors: dict[str, float]) -> None:
    base = running[ALONE].seconds
    first = base[min(base)]
    for name, way in running.items():
        times = way.seconds[count]
        ratio = statistics.median(a / b for a, b in zip(first, times, strict=True))
        seconds = f"{statistics.median(times):8.3f} s ({min(times):.3f}-{max(times):.3f})"
        cores = f"{statistics.median(way.used[count]):8.3f} core s"
        say(f"{count} at once, {name:28} {seconds} {cores} {ratio:7.2f}x {errors[name]:9.1e}")


def distance(found: Floats, sure: Floats) -> float:
    return float(np.linalg.norm(found - sure) / np.linalg.norm(sure))


if __name__ == "__main__":
    typer.run(main)
