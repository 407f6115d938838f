from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from onnx import TensorProto

from healer.engines.builtin.engine import CARD, NETWORK, SIDE, read_model_files
from training import export
from training.network import Ensemble, Network


def members() -> list[Network]:
    torch.manual_seed(0)
    return [Network(neck=8).eval() for _ in range(2)]


def test_onnx_equals_torch(tmp_path: Path) -> None:
    networks = members()
    export.write(networks, {}, tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 3, SIDE, SIDE), dtype=np.uint8)
    session = onnxruntime.InferenceSession(tmp_path / NETWORK)
    (served,) = session.run(None, {"pixels": pixels})
    with torch.inference_mode():
        trained = Ensemble(networks).eval()(torch.from_numpy(pixels)).numpy()
    assert np.abs(served - trained).max() < 2e-3


def test_large_weights_are_stored_in_half_precision() -> None:
    model = export.halve(export.to_onnx(members()))
    large = [each for each in model.graph.initializer if np.prod(each.dims) >= export.WORTH_HALVING]
    assert large
    assert {each.data_type for each in large} == {TensorProto.FLOAT16}


def test_the_json_vouches_for_the_network(tmp_path: Path) -> None:
    export.write(members(), {"epochs": 3}, tmp_path)
    card = json.loads((tmp_path / CARD).read_text(encoding="utf-8"))
    network = (tmp_path / NETWORK).read_bytes()
    assert card["sha256"] == hashlib.sha256(network).hexdigest()
    assert card["training"] == {"epochs": 3}
    assert read_model_files(tmp_path).names[0] == "adenocarcinoma"
