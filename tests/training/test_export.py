from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import onnxruntime
import torch
from onnx import TensorProto

from healer.engines.builtin.engine import CARD, NETWORK, SIDE, read_model_files
from training import export, shipped
from training.backbone import Backbone
from training.heads import Ensemble, Heads, Member
from training.network import Network


def members() -> list[Member]:
    torch.manual_seed(0)
    networks = [Network(neck=8).eval() for _ in range(2)]
    return [
        Member(Backbone(each), [Heads.of(each, width=12) for _ in range(2)]).eval()
        for each in networks
    ]


def test_onnx_equals_torch(tmp_path: Path) -> None:
    networks = members()
    export.write(networks, {}, tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (3, 3, SIDE, SIDE), dtype=np.uint8)
    session = onnxruntime.InferenceSession(tmp_path / NETWORK)
    scores, features = session.run(list(export.OUTPUTS), {"pixels": pixels})
    with torch.inference_mode():
        trained = Ensemble(networks).eval()(torch.from_numpy(pixels))
    assert np.abs(scores - trained[0].numpy()).max() < 2e-3
    assert features.shape == (3, 2, 240)
    assert np.abs(features - trained[1].numpy()).max() < 2e-2


def test_an_ensemble_gives_log_probabilities() -> None:
    scores, _ = Ensemble(members()).eval()(torch.zeros(2, 3, 32, 32, dtype=torch.uint8))
    assert torch.allclose(scores.exp().sum(1), torch.ones(2), atol=1e-5)


def test_each_member_can_be_run_alone(tmp_path: Path) -> None:
    networks = members()
    export.write(networks, {}, tmp_path)
    session = shipped.session(tmp_path)
    pixels = np.random.default_rng(0).integers(0, 256, (3, SIDE, SIDE), dtype=np.uint8)
    for at, member in enumerate(networks):
        with torch.inference_mode():
            _, trained = member(torch.from_numpy(pixels)[None])
        assert np.abs(shipped.one(session, pixels, at) - trained.numpy()).max() < 2e-3


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
