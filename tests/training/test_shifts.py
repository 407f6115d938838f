from __future__ import annotations

import numpy as np
import pytest

from training import shifts


@pytest.fixture
def batch() -> shifts.Pixels:
    return np.random.default_rng(0).integers(0, 256, (2, 64, 64, 3), dtype=np.uint8)


@pytest.mark.parametrize("name", shifts.SHIFTS)
def test_each_shift_repeats_and_stays_a_picture(name: str, batch: shifts.Pixels) -> None:
    first, again = shifts.shifted(batch, name), shifts.shifted(batch, name)
    assert (first == again).all()
    assert first.dtype == np.uint8
    assert (first.shape == batch.shape and (first == batch).all()) == (name == "as it is")


def test_magnification_shows_half_or_twice_the_width(batch: shifts.Pixels) -> None:
    assert shifts.shifted(batch, "2× magnification").shape[1:3] == (32, 32)
    assert shifts.shifted(batch, "0.5× magnification").shape[1:3] == (128, 128)
