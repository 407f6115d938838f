from __future__ import annotations

import numpy as np
import onnxruntime

from healer.engines.builtin.engine import SIDE
from tests.training.test_export import members
from training import export, quantise
from training.agreement import agreement


def test_the_integers_give_what_the_floats_give() -> None:
    rng = np.random.default_rng(0)
    inputs = list(rng.integers(0, 256, (6, 3, SIDE, SIDE), dtype=np.uint8))
    floats = export.halve(export.to_onnx(members()))
    integers = quantise.quantised(floats, inputs)
    kinds = [node.op_type for node in integers.graph.node]
    assert kinds.count("QuantizeLinear") > 20
    both = [
        onnxruntime.InferenceSession(model.SerializeToString()).run(
            None, {"pixels": np.stack(inputs)}
        )
        for model in (floats, integers)
    ]
    for one, other in zip(*both, strict=True):
        assert one.shape == other.shape
        assert not np.array_equal(one, other)
        assert np.abs(one - other).max() < 0.25 * np.abs(one).max()


def test_agreement_counts_verdicts_and_shifts() -> None:
    before = np.array([-9.0, -9, 9, 9])
    found = agreement([before, before * [1, -1, 1, 1]], np.array([False, False, True, True]))
    assert found["tiles"] == 4
    assert found["same verdict, %"] == 75
    assert (found["no became yes"], found["yes became no"]) == (1, 0)
    assert found["AUROC before"] == 1
    assert found["largest"] == 18
