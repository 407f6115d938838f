from __future__ import annotations

import numpy as np
import pytest

from healer.evaluation.shifts import NONE, SHIFTS, TITLES, shift_named
from healer.screening.screener import known_tile


@pytest.mark.parametrize("name", SHIFTS)
def test_each_shift_is_the_same_every_time_and_leaves_its_tile_alone(name: str) -> None:
    tile = known_tile(96).pixels
    before = tile.copy()
    first, second = SHIFTS[name](tile), SHIFTS[name](tile)
    assert first.dtype == np.uint8
    assert first.shape[2] == 3
    assert (first == second).all()
    assert (tile == before).all()
    assert name == NONE or first.shape != tile.shape or (first != tile).any()


@pytest.mark.parametrize("name", SHIFTS)
@pytest.mark.parametrize("shape", [(1, 1), (3, 2), (50, 80)])
def test_each_shift_takes_any_shape(name: str, shape: tuple[int, int]) -> None:
    assert SHIFTS[name](np.full((*shape, 3), 130, np.uint8)).size > 0


def test_scales_show_half_and_twice_as_much() -> None:
    tile = known_tile(96).pixels
    assert SHIFTS["scale-2"](tile).shape == (48, 48, 3)
    assert (SHIFTS["scale-2"](tile) == tile[24:72, 24:72]).all()
    assert SHIFTS["scale-0.5"](tile).shape == (192, 192, 3)
    assert (SHIFTS["scale-0.5"](tile)[48:144, 48:144] == tile).all()


def test_glass_stays_glass_under_another_stain() -> None:
    white = SHIFTS["stain"](np.full((8, 8, 3), 255, np.uint8))
    assert white.min() > 200


def test_blur_takes_detail_away() -> None:
    tile = known_tile(96).pixels.astype(float)
    assert SHIFTS["blur"](known_tile(96).pixels).std() < tile.std()


def test_shifts_go_by_name_or_title() -> None:
    assert {shift_named(title) for title in TITLES.values()} == set(SHIFTS)
    assert shift_named("") == NONE
    with pytest.raises(KeyError):
        shift_named("rain")
