from __future__ import annotations

import numpy as np
import pytest

from healer.screening.verdict import Mark
from healer.slides.reader import Area
from healer.slides.regions import Region, RegionKind, TileNeighbours, find_regions
from healer.slides.scoring import TileResult
from tests.slides.results import CUT, HALF_UM, area, scored


def regions(*tiles: TileResult) -> list[Region]:
    return find_regions(tiles, HALF_UM, CUT)


def test_tiles_that_touch_are_one_region_with_box_area_and_peak() -> None:
    (region,) = regions(scored(3, 2, 0.6), scored(4, 2, 0.9), scored(0, 0, 0.1))
    assert region.kind is RegionKind.CANCER
    assert region.box == Area(300, 200, 200, 100)
    assert region.area_mm2 == pytest.approx(0.1 * 0.05)
    assert (region.peak, region.peak_area, region.tiles) == (0.9, area(4, 2), 2)
    assert region.score == pytest.approx((0.9 + 0.6) / 4)


def test_the_outline_is_a_closed_ring_around_the_tiles() -> None:
    (region,) = regions(scored(3, 2, 0.6), scored(4, 2, 0.9))
    ((ring,),) = region.outline
    assert ring[0] == ring[-1]
    assert {(300, 200), (500, 200), (500, 300), (300, 300)} <= set(ring)
    assert all(300 <= x <= 500 and 200 <= y <= 300 for x, y in ring)


def test_a_hole_is_a_ring_of_its_own() -> None:
    around = [(x, y) for x in range(3) for y in range(3) if (x, y) != (1, 1)]
    (region,) = regions(*(scored(x, y, 0.9) for x, y in around))
    ((outer, hole),) = region.outline
    assert {(100, 100), (200, 200)} <= set(hole)
    assert {(0, 0), (300, 300)} <= set(outer)
    assert region.area_mm2 == pytest.approx(8 * 0.05 * 0.05)


def test_tiles_that_touch_at_a_corner_are_one_region() -> None:
    (region,) = regions(scored(0, 0, 0.9), scored(1, 1, 0.9))
    assert region.tiles == 2
    assert region.area_mm2 == pytest.approx(2 * 0.05 * 0.05, rel=1e-3)


def test_a_pixel_between_tiles_parts_no_region() -> None:
    first = scored(0, 0, 0.9)
    beside = scored(1.01, 0, 0.9)
    (region,) = regions(first, beside)
    assert region.box == Area(0, 0, 201, 100)


def test_tiles_that_overlap_count_their_area_once() -> None:
    (region,) = regions(scored(0, 0, 0.9), scored(0.5, 0, 0.9))
    assert region.area_mm2 == pytest.approx(1.5 * 0.05 * 0.05)


def test_regions_are_ranked_by_the_mean_of_their_highest_tiles() -> None:
    small = [scored(0, 0, 0.99)]
    large = [scored(x, 5, 0.8) for x in range(4)]
    ranked = regions(*small, *large)
    assert [(region.rank, region.tiles) for region in ranked] == [(1, 4), (2, 1)]


def test_precursors_are_regions_of_their_own_after_those_of_cancer() -> None:
    ranked = regions(
        scored(0, 0, 0.9), scored(5, 5, 0.01, low_grade=0.98), scored(6, 5, 0.0, low_grade=0.97)
    )
    assert [(each.kind, each.rank) for each in ranked] == [
        (RegionKind.CANCER, 1),
        (RegionKind.PRECURSOR, 1),
    ]
    assert ranked[1].mark is Mark.LOW_GRADE
    assert ranked[1].tiles == 2


def test_nothing_suspicious_is_no_region() -> None:
    assert regions(scored(0, 0, 0.1), scored(1, 0, 0.2)) == []
    assert regions() == []


def test_in_json_a_region_has_its_place_in_pixels_and_millimetres() -> None:
    (region,) = regions(scored(3, 2, 0.6), scored(4, 2, 0.9))
    fields = region.as_json(HALF_UM)
    assert fields["box"] == {"x": 300, "y": 200, "width": 200, "height": 100}
    assert fields["box_mm"] == {"x": 0.15, "y": 0.1, "width": 0.1, "height": 0.05}
    assert [0.15, 0.1] in fields["outline_mm"][0][0]


def test_a_tile_counts_as_much_as_its_best_neighbour_bears_it_out() -> None:
    tiles = TileNeighbours([area(0, 0), area(1, 0), area(1, 1), area(9, 9)])
    supported = tiles.supported(np.array([0.9, 0.6, 0.2, 0.8]))
    assert supported.tolist() == [0.6, 0.6, 0.2, 0.8]
