"""The network that ships, in 8-bit integers: for processors that multiply those several times as
fast (VNNI, AMX).

Post-training quantisation by ONNX Runtime: weights to 8 bits a channel, activations to 8 bits a
tensor, between the least and the greatest that training tiles give. Convolutions and the additions
between them are integers; what normalises a picture, the first convolution and the heads stay in
float32. Its margins are the other's to a few hundredths, and so its calibration has the same
numbers, bound to this network. `agreement.py` says how far the two agree.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quantize_static,
)
from onnxruntime.quantization.shape_inference import quant_pre_process
from rich.progress import track

from healer.cli.calibrate_run import save_reference, write_record
from healer.engines.builtin import INT8_FOLDER
from healer.engines.builtin.engine import (
    CARD,
    MODEL_FOLDER,
    NETWORK,
    UNLIKE,
    BuiltinEngine,
    Gaussians,
    network_input,
)
from healer.engines.builtin.runtime import Runtime, calibration_of
from healer.screening.calibration import (
    Binding,
    Calibration,
    Reference,
    read_calibration,
    reference_beside,
)
from healer.screening.opening import SHIPPED
from training.shipped import HeldOut

Pixels = NDArray[np.uint8]
KINDS = ["Conv", "Clip", "Add"]
EVERY = 16  # of which tile one gives the ranges


class Tiles(CalibrationDataReader):  # type: ignore[misc]  # its module has no types
    """What `network_input` made of tiles, one at a time."""

    def __init__(self, inputs: Iterable[Pixels]) -> None:
        self._inputs: Iterator[Pixels] = iter(inputs)

    def get_next(self) -> dict[str, Pixels] | None:
        pixels = next(self._inputs, None)
        return None if pixels is None else {"pixels": pixels[None]}


def quantised(model: onnx.ModelProto, inputs: Iterable[Pixels]) -> onnx.ModelProto:
    """Of the float32 network, with the ranges that its activations have on `inputs`."""
    with tempfile.TemporaryDirectory() as folder:
        plain, ready, done = (Path(folder) / name for name in ("plain", "ready", "done"))
        onnx.save(in_steps(whole(model)), plain)
        quant_pre_process(plain, ready, skip_symbolic_shape=True)
        quantize_static(
            ready,
            done,
            Tiles(inputs),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=KINDS,
            nodes_to_exclude=left_in_float(onnx.load(ready).graph),
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
        )
        return onnx.load(done)


def whole(model: onnx.ModelProto) -> onnx.ModelProto:
    """With the weights in float32 that `export.halve` stored in half precision."""
    model = onnx.ModelProto.FromString(model.SerializeToString())
    stored = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in list(model.graph.node):
        if node.op_type == "Cast" and node.input[0] in stored:
            half = numpy_helper.to_array(stored[node.input[0]])
            full = numpy_helper.from_array(half.astype(np.float32), node.output[0])
            stored[node.input[0]].CopyFrom(full)
            model.graph.node.remove(node)
    return model


def in_steps(model: onnx.ModelProto) -> onnx.ModelProto:
    """With every `ReduceLogSumExp` in steps: OpenVINO 2026.4 sums over every axis, whatever the
    node says, and so mixes the tiles of a batch."""
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        nodes += log_sum_exp(model.graph, node) if node.op_type == "ReduceLogSumExp" else [node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def log_sum_exp(graph: onnx.GraphProto, node: onnx.NodeProto) -> list[onnx.NodeProto]:
    """The greatest, and the logarithm of the sum of how much less the others are."""
    axes = next(helper.get_attribute_value(at) for at in node.attribute if at.name == "axes")
    given, made = node.input[0], node.output[0]
    greatest, less, shares, total, rest, over = (
        f"{node.name}/{step}" for step in ("greatest", "less", "shares", "total", "rest", "over")
    )
    graph.initializer.append(numpy_helper.from_array(np.array(axes, np.int64), over))
    return [
        helper.make_node("ReduceMax", [given], [greatest], greatest, axes=axes, keepdims=1),
        helper.make_node("Sub", [given, greatest], [less], less),
        helper.make_node("Exp", [less], [shares], shares),
        helper.make_node("ReduceSum", [shares, over], [total], total, keepdims=1),
        helper.make_node("Log", [total], [rest], rest),
        helper.make_node("Add", [greatest, rest], [made], node.name),
    ]


def left_in_float(graph: onnx.GraphProto) -> list[str]:
    """The first convolution: what it reads has no bounds, what it gives lies between 0 and 6. Then
    additions that are none of two convolutions' outputs; and convolutions of the heads, whose
    result no other reads."""
    made_by = {node.output[0]: node for node in graph.node}
    integers = {"Conv", "Add"}
    sums = [
        node
        for node in graph.node
        if node.op_type == "Add"
        and not all(at in made_by and made_by[at].op_type in integers for at in node.input)
    ]
    read = {name for node in graph.node if node.op_type in KINDS for name in node.input}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    picture = convolutions[0].input[0]
    ends = [each for each in convolutions if picture in each.input or read.isdisjoint(each.output)]
    return [node.name for node in (*sums, *ends)]


def write(every: Sequence[HeldOut], folder: Path = INT8_FOLDER) -> Path:
    """The network, its card and how far off training a tile is, in `folder`."""
    whole_card = json.loads((MODEL_FOLDER / CARD).read_text(encoding="utf-8"))
    tiles = [pixels for each in every for pixels in each.pixels][::EVERY]
    inputs = map(network_input, track(tiles, "Ranges"))
    model = quantised(onnx.load(MODEL_FOLDER / NETWORK), inputs)
    network = model.SerializeToString()
    folder.mkdir(exist_ok=True)
    (folder / NETWORK).write_bytes(network)
    sha256 = hashlib.sha256(network).hexdigest()
    card = whole_card | {
        "sha256": sha256,
        "quantization": "int8",
        "quantised_from": whole_card["sha256"],
        "ranges_of": f"{len(tiles)} training tiles",
    }
    text = json.dumps(card, indent=2, ensure_ascii=False) + "\n"
    (folder / CARD).write_text(text, encoding="utf-8")
    gaussians = Gaussians.read(MODEL_FOLDER, whole_card["sha256"])
    if gaussians is not None:
        (folder / UNLIKE).write_bytes(gaussians.to_bytes(sha256))
    return folder / NETWORK


def calibrate(folder: Path = INT8_FOLDER) -> dict[Runtime, Calibration]:
    """The float32 network's calibration, bound to the one in `folder` as each runtime computes it,
    with the reference for drift beside it."""
    return {runtime: bind(folder, runtime) for runtime in Runtime}


def bind(folder: Path, runtime: Runtime) -> Calibration:
    engine = BuiltinEngine(1, folder, runtime=runtime)
    engine.close()
    file = calibration_of(folder, runtime) / SHIPPED.name
    file.parent.mkdir(exist_ok=True)
    bound = {"binding": Binding.of(engine.info)}
    made = read_calibration(SHIPPED, Calibration).model_copy(update=bound | {"figures": {}})
    write_record(made, file)
    reference = Reference.model_validate_json(reference_beside(SHIPPED).read_bytes())
    save_reference(reference.model_copy(update=bound), reference_beside(file))
    return made
