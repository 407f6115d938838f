from __future__ import annotations

from healer.slides.grid import ReadingOrder, areas_between
from healer.slides.reader import Area
from tests.slides.results import CUT, area, scored

GRID = [area(column, row) for row in range(6) for column in range(6)]


def test_every_area_comes_once_in_the_order_given() -> None:
    assert list(ReadingOrder(GRID, CUT)) == GRID


def test_what_lies_around_a_suspicious_tile_comes_next() -> None:
    order = ReadingOrder(GRID, CUT)
    first = next(order)
    order.learn([scored(3, 3, 0.9)])
    rest = list(order)
    around = {area(x, y) for x in (2, 3, 4) for y in (2, 3, 4)}
    assert set(rest[:9]) == around
    assert sorted([first, *rest], key=lambda each: (each.y, each.x)) == GRID


def test_a_lone_suspicious_tile_is_read_again_half_a_tile_off() -> None:
    between = areas_between([scored(3, 3, 0.9), scored(4, 3, 0.1)], CUT)
    assert len(between) == 8
    assert Area(250, 250, 100, 100) in between
    assert Area(300, 350, 100, 100) in between


def test_a_region_of_four_tiles_needs_no_more() -> None:
    focus = [scored(x, y, 0.9) for x in (2, 3) for y in (2, 3)]
    assert areas_between(focus, CUT) == []
    assert areas_between([scored(0, 0, 0.1)], CUT) == []
