"""Which fields are wide, and where their windows lie."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from healer.engines.base import FieldScale
from healer.engines.builtin.engine import SCALE
from healer.images.tile import Tile
from healer.screening.wide_field import LEAST_SIDE, MOST_WINDOWS, Grid, is_wide, wide_field_warning
from tests.fake_engine import FakeEngine

LENGTHS = st.integers(64, 9000)


def blank(width: int, height: int, mpp: float | None = None) -> Tile:
    """Of any size in no memory."""
    return Tile(np.broadcast_to(np.zeros(3, np.uint8), (height, width, 3)), mpp)


@pytest.mark.parametrize(
    ("width", "height", "mpp"),
    [
        (150, 150, 0.495),
        (224, 224, None),
        (224, 224, 1.2),
        (775, 522, 0.62),
        (775, 522, None),
        (768, 768, None),
        (1024, 1024, None),
        (1024, 1024, 0.5),
        (1024, 1024, 0.62),
        (2048, 2048, 0.25),
    ],
)
def test_ordinary_tiles_are_not_wide(width: int, height: int, mpp: float | None) -> None:
    assert not is_wide(blank(width, height, mpp), FakeEngine())


@pytest.mark.parametrize(
    ("width", "height", "mpp"),
    [
        (3100, 2088, None),
        (3100, 2088, 0.62),
        (2088, 3100, 0.25),
        (1400, 400, None),
        (775, 522, 1.0),
    ],
)
def test_wide_fields_are(width: int, height: int, mpp: float | None) -> None:
    assert is_wide(blank(width, height, mpp), FakeEngine())


def test_windows_show_tissue_at_the_scale_of_training() -> None:
    assert Grid.over(blank(3100, 2088, 1.0), SCALE).side == 224
    assert Grid.over(blank(3100, 2088, 0.25), SCALE).side == 896
    assert Grid.over(blank(3100, 2088), SCALE).side == 448
    assert Grid.over(blank(3100, 2088, 5.0), SCALE).side == LEAST_SIDE


def test_windows_lie_half_over_each_other_where_there_is_room() -> None:
    grid = Grid.over(blank(3100, 2088), SCALE)
    assert len(grid.cells) == 13 * 9
    assert grid.overlapping
    assert not grid.sampled
    assert (grid.xs[0], grid.xs[-1] + grid.side) == (0, 3100)
    assert (grid.ys[0], grid.ys[-1] + grid.side) == (0, 2088)


@given(LENGTHS, LENGTHS, st.sampled_from([None, 0.12, 0.25, 0.5, 1.0, 4.9]))
@example(65, 8193, 4.9)
@example(127, 9000, 4.9)
@example(9000, 127, 4.9)
@example(9000, 64, 4.9)
def test_the_whole_picture_is_covered_or_it_is_reported(
    width: int, height: int, mpp: float | None
) -> None:
    grid = Grid.over(blank(width, height, mpp), SCALE)
    assert 1 <= len(grid.cells) <= MOST_WINDOWS
    for starts, length in ((grid.xs, width), (grid.ys, height)):
        assert starts[0] >= 0
        assert starts[-1] + grid.side <= length
    if not grid.sampled:
        for starts, length in ((grid.xs, width), (grid.ys, height)):
            covered = np.zeros(length, bool)
            for start in starts:
                covered[start : start + grid.side] = True
            assert covered.all()


def test_a_picture_too_large_to_read_as_a_whole_is_sampled() -> None:
    grid = Grid.over(blank(8000, 5000, 2.0), FieldScale(650, 224))
    assert grid.sampled
    assert not grid.overlapping
    assert len(grid.cells) > MOST_WINDOWS // 2


def test_the_warning_says_what_was_assumed() -> None:
    warning = wide_field_warning(blank(3100, 2088), FakeEngine(), "So it was.")
    assert (warning.code, warning.measured, warning.threshold) == ("wide_field", 1550, 650)
    assert "1550 µm" in warning.sentence
    assert "assumed" in warning.sentence
    assert "assumed" not in wide_field_warning(blank(3100, 2088, 0.5), FakeEngine(), "").sentence
