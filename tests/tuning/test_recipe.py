from __future__ import annotations

import pytest

from healer.tuning.data import Recipe


def test_the_default_is_the_published_recipe() -> None:
    assert Recipe().model_dump() == {
        "rank": 16,
        "alpha": 16,
        "dropout": 0.05,
        "learning_rate": 2e-4,
        "epochs": 1,
        "train_tiles": 9000,
        "validation_tiles": 1000,
        "batch_size": 4,
        "accumulation": 4,
        "warmup_ratio": 0.03,
        "max_grad_norm": 0.3,
        "balanced": False,
        "seed": 0,
        "quantization": "auto",
    }


@pytest.mark.parametrize(("tiles", "steps"), [(9000, 563), (16, 1), (17, 2)])
def test_a_step_is_sixteen_tiles_and_the_last_may_be_smaller(tiles: int, steps: int) -> None:
    assert Recipe().steps(tiles) == steps
    assert Recipe(epochs=3).steps(tiles) == 3 * steps


def test_three_in_a_hundred_steps_warm_up() -> None:
    assert Recipe().warmup_steps(9000) == 17


def test_weights_are_in_4_bit_where_a_gpu_allows() -> None:
    assert Recipe().quantization_on("cuda") == "4bit"
    assert Recipe().quantization_on("cpu") == "none"
    assert Recipe(quantization="none").quantization_on("cuda") == "none"
