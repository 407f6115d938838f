from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from healer.slides.overview import Mask
from healer.slides.reader import Area, Resolution
from healer.slides.scoring import CoverageLedger
from tests.slides.results import HALF_UM, area, refused, scored


def ledger(
    tissue: NDArray[np.bool_] | None = None, resolution: Resolution = HALF_UM
) -> CoverageLedger:
    """Of a slide of 400 × 400 px; without a mask, one of 10 px a pixel that is all tissue."""
    return CoverageLedger(
        mask_of(np.ones((40, 40), bool) if tissue is None else tissue, resolution)
    )


def mask_of(tissue: NDArray[np.bool_], resolution: Resolution = HALF_UM) -> Mask:
    scale = 400 / tissue.shape[1], 400 / tissue.shape[0]
    mm2 = scale[0] * resolution.x * scale[1] * resolution.y / 1e6
    nothing = np.zeros_like(tissue)
    return Mask(scale[0] * resolution.x, tissue, nothing, scale, float(tissue.sum()) * mm2, mm2)


def test_each_tile_adds_its_square_millimetres_to_its_own_account() -> None:
    account = ledger()
    for result in (
        scored(0, 0, 0.1),
        scored(1, 0, 0.9),
        refused(2, 0, "too_blurred"),
        refused(0, 1, "not_he_stained", "too_noisy"),
        refused(1, 1, problem="area_unreadable"),
    ):
        account.add(result)
    coverage = account.coverage()
    tile = 0.05 * 0.05
    assert coverage.tissue == pytest.approx(16 * tile)
    assert coverage.read == pytest.approx(2 * tile)
    assert coverage.excluded == pytest.approx({"too_blurred": tile, "not_he_stained": tile})
    assert coverage.unreadable == pytest.approx(tile)
    assert coverage.unvisited == pytest.approx(11 * tile)
    assert coverage.share == pytest.approx(2 / 16)


def test_tiles_that_overlap_count_once_and_reading_wins() -> None:
    account = ledger()
    for result in (
        scored(0, 0, 0.1),
        scored(0.5, 0, 0.1),
        refused(1, 0, "too_blurred"),
        refused(1.5, 0, problem="area_unreadable"),
    ):
        account.add(result)
    coverage = account.coverage()
    tile = 0.05 * 0.05
    assert coverage.read == pytest.approx(1.5 * tile)
    assert coverage.excluded == pytest.approx({"too_blurred": 0.5 * tile})
    assert coverage.unreadable == pytest.approx(0.5 * tile)


def test_glass_is_in_no_account() -> None:
    tissue = np.zeros((40, 40), bool)
    tissue[:5, :5] = True  # a quarter of the first tile
    account = ledger(tissue)
    account.add(scored(0, 0, 0.1))
    account.add(refused(1, 0, "no_tissue"))
    coverage = account.coverage()
    assert coverage.tissue == coverage.read == pytest.approx(0.025 * 0.025)
    assert coverage.excluded == {}
    assert coverage.share == 1
    assert account.tissue_mm2(area(0, 0)) == pytest.approx(0.025 * 0.025)
    assert account.tissue_mm2(area(1, 0)) == 0


def test_a_slide_without_tissue_has_no_share_read() -> None:
    empty = ledger(np.zeros((4, 4), bool)).coverage()
    assert (empty.tissue, empty.share) == (0, 0)


def test_pixels_that_are_not_square_are_counted_by_their_own_sides() -> None:
    account = ledger(np.ones((4, 4), bool), Resolution(0.5, 0.25, "test"))
    account.add(scored(0, 0, 0.1))
    assert account.coverage().read == pytest.approx(0.05 * 0.025)


@pytest.mark.parametrize("step", [7, 13, 24, 33])
def test_adjoining_tiles_share_out_a_mask_of_any_step_without_gap_or_double(step: int) -> None:
    account = ledger(np.ones((step, step), bool))
    parts = [account.tissue_mm2(area(column, row)) for column in range(4) for row in range(4)]
    assert sum(parts) == pytest.approx(0.2 * 0.2)


def test_areas_beyond_the_slide_hold_no_tissue() -> None:
    assert ledger().tissue_mm2(Area(-300, -300, 100, 100)) == 0
    assert ledger().tissue_mm2(Area(350, 350, 100, 100)) == pytest.approx(0.025 * 0.025)


def test_the_sentence_names_every_loss() -> None:
    account = ledger()
    account.add(refused(2, 0, "too_blurred"))
    account.add(refused(1, 1, problem="area_unreadable"))
    words = account.coverage().in_words()
    assert words == (
        "0.00 of 0.04 mm² of tissue were read; 0.00 mm² excluded as too blurred, 0.00 mm² "
        "unreadable in the file, 0.04 mm² not visited."
    )


def test_what_could_not_be_seen_at_all_is_unreadable_until_a_tile_of_it_is_read() -> None:
    mask = mask_of(np.ones((40, 40), bool))
    mask.unreadable[:10, :20] = True
    account = CoverageLedger(mask)
    assert account.coverage().unreadable == pytest.approx(2 * 0.05 * 0.05)
    account.add(scored(0, 0, 0.1))
    assert account.coverage().unreadable == pytest.approx(0.05 * 0.05)
