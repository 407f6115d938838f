"""The trained members as one ONNX file with half-precision weights, and the JSON beside it."""

from __future__ import annotations

import hashlib
import json
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from healer.engines.builtin.engine import PREPROCESSING, SIDE
from training.heads import Ensemble, Member
from training.kather import OUTPUT_NAMES
from training.network import laid_out

LICENCE = (
    "Trained on EBHI-Seg (Shi L, Li X, Hu W, et al., Frontiers in Medicine 2023, "
    "figshare 21540159) and on tiles of Kather 2016 (Kather JN, Weis CA, Bianconi F, et al., "
    "Scientific Reports 2016, Zenodo 53169), both CC BY 4.0."
)
OUTPUTS = ("scores", "features")
# Smaller tensors stay as they are: halving them saves nothing.
WORTH_HALVING = 1024


def to_onnx(members: Sequence[Member]) -> onnx.ModelProto:
    """Input `pixels` uint8 (n, 3, SIDE, SIDE); outputs `scores`, log-probabilities (n, 11), and
    `features` (n, members, 240), which no answer follows from."""
    plain = [laid_out(member, torch.contiguous_format) for member in members]
    return traced(Ensemble(plain).eval(), OUTPUTS)


def traced(model: nn.Module, outputs: Sequence[str]) -> onnx.ModelProto:
    """A model of `pixels`, with its outputs named."""
    example = torch.zeros(2, 3, SIDE, SIDE, dtype=torch.uint8)
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # The exporter that replaces this one needs a further package and keeps batch norms apart.
        warnings.simplefilter("ignore", DeprecationWarning)
        file = Path(folder) / "model.onnx"
        torch.onnx.export(
            model,
            (example,),
            file,
            dynamo=False,
            opset_version=17,
            input_names=["pixels"],
            output_names=list(outputs),
            dynamic_axes={name: {0: "n"} for name in ("pixels", *outputs)},
        )
        return onnx.load(file)


def halve(model: onnx.ModelProto) -> onnx.ModelProto:
    """Large weights stored as float16 and cast back on loading; arithmetic stays float32."""
    casts = []
    for tensor in model.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and np.prod(tensor.dims) >= WORTH_HALVING:
            name, half = tensor.name, f"{tensor.name}_half"
            tensor.CopyFrom(
                numpy_helper.from_array(numpy_helper.to_array(tensor).astype(np.float16), half)
            )
            casts.append(helper.make_node("Cast", [half], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    onnx.checker.check_model(model)
    return model


def write(members: Sequence[Member], config: Mapping[str, Any], folder: Path) -> Path:
    """`model.onnx` and `model.json`, which holds the hash, classes, recipe and licence."""
    network = halve(to_onnx(members)).SerializeToString()
    (folder / "model.onnx").write_bytes(network)
    card = {
        "sha256": hashlib.sha256(network).hexdigest(),
        "classes": list(OUTPUT_NAMES),
        "preprocessing": PREPROCESSING,
        "training": dict(config),
        "data": LICENCE,
    }
    text = json.dumps(card, indent=2, ensure_ascii=False) + "\n"
    (folder / "model.json").write_text(text, encoding="utf-8")
    return folder / "model.onnx"
