from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from healer.conversion.checkpoint import read_config
from healer.conversion.request import TOLERANCES
from healer.conversion.verify import (
    ReferenceModel,
    as_verified,
    blocks,
    check_tolerance,
    compare,
)
from healer.engines.openvino import products
from healer.engines.openvino.conversion_record import (
    Described,
    Parity,
    Precision,
    TileParity,
    Tolerance,
)
from healer.engines.vlm.prompt import AnswerTokens
from healer.errors import ConversionInaccurate
from healer.questions.colorectal import COLORECTAL_CANCER
from tests.conversion.graphs import Torch
from tests.gemma import PINK

ANSWERS = AnswerTokens(yes=(0,), no=(1,))
SURE = np.log(np.array([[0.7, 0.2, 0.1], [0.5, 0.3, 0.2]], np.float32))


def parity(**figures: float) -> Parity:
    same: dict[str, float] = {"reference_margin": 0, "margin": 0, "divergence": 0, "regret": 0}
    tile = TileParity(tile="a", agreed=9, positions=9, **(same | figures))
    return Parity(tiles=(tile,), tolerance=TOLERANCES["int8"])


def test_what_is_the_same_differs_by_nothing() -> None:
    found = compare("a", SURE, SURE + 3, ANSWERS)  # logits are known up to a constant
    assert found.shift == pytest.approx(0, abs=1e-6)
    assert found.divergence == pytest.approx(0, abs=1e-6)
    assert (found.regret, found.agreed, found.positions) == (0, 2, 2)


def test_figures_are_those_of_the_definitions() -> None:
    tried = np.log(np.array([[0.6, 0.3, 0.1], [0.3, 0.5, 0.2]], np.float32))
    found = compare("a", SURE, tried, ANSWERS)
    assert found.reference_margin == pytest.approx(np.log(0.7 / 0.2), rel=1e-5)
    assert found.margin == pytest.approx(np.log(0.6 / 0.3), rel=1e-5)
    first = 0.7 * np.log(0.7 / 0.6) + 0.2 * np.log(0.2 / 0.3)
    second = 0.5 * np.log(0.5 / 0.3) + 0.3 * np.log(0.3 / 0.5)
    assert found.divergence == pytest.approx((first + second) / 2, rel=1e-5)
    assert found.regret == pytest.approx(np.log(0.5 / 0.3), rel=1e-5)
    assert found.agreed == 1


@pytest.mark.parametrize(
    "figures",
    [{"margin": -0.3}, {"divergence": 0.03}, {"regret": 0.3}, {"margin": float("nan")}],
    ids=str,
)
def test_each_figure_can_refuse(figures: dict[str, float]) -> None:
    with pytest.raises(ConversionInaccurate):
        check_tolerance(parity(**figures), "m")


@pytest.mark.parametrize(
    ("available", "shift", "of_parts", "verified"),
    [
        (True, 0.2, 0.2, "int8"),
        (True, 0.3, 0.2, "int8-parts"),
        (True, 0.3, 0.3, "int16"),
        (False, 0.2, 0.2, "int16"),
    ],
)
def test_activations_are_of_8_bits_only_where_that_was_verified(
    monkeypatch: pytest.MonkeyPatch, available: bool, shift: float, of_parts: float, verified: str
) -> None:
    stored = Precision(vision="int8", language="int8")
    about = Described.model_construct(precision=stored)  # type: ignore[call-arg]
    monkeypatch.setattr(products, "available", lambda: available)

    shifts = {"int8": shift, "int8-parts": of_parts, "int16": 0.1}

    def measure(tried: Described) -> Parity:
        return parity(margin=shifts[tried.precision.activations])

    found, measured = as_verified(about, measure)
    assert found.precision.activations == verified
    assert measured == measure(found)


def test_within_the_tolerance_all_is_well() -> None:
    check_tolerance(parity(margin=0.2, divergence=0.01, regret=0.2), "m")
    assert Tolerance(shift=0.25, divergence=0.02, regret=0.25) == TOLERANCES["int8"]


def test_the_reference_is_plain_float32(checkpoint: Path) -> None:
    reference = ReferenceModel(checkpoint, read_config(checkpoint, "m"), COLORECTAL_CANCER)
    forced = [11, 12]
    expected = Torch(checkpoint).logits(forced)[-3:]
    np.testing.assert_allclose(reference.logits(PINK, forced), expected, atol=1e-5)
    np.testing.assert_allclose(reference.logits(PINK, forced), expected, atol=1e-5)


def test_the_references_weights_stay_as_stored(checkpoint: Path) -> None:
    reference = ReferenceModel(checkpoint, read_config(checkpoint, "m"), COLORECTAL_CANCER)
    reference.logits(PINK, [11])
    model = reference._model
    held = [weight for block in blocks(model) for weight in block.parameters()]
    assert {weight.dtype for weight in model.parameters()} == {torch.bfloat16}
    assert {id(weight) for weight in held} == {id(weight) for weight in model.parameters()}
