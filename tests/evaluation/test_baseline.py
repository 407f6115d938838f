from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from healer.evaluation.assess import ColourModel, colour_histogram
from healer.evaluation.metrics import by_case

CASES = np.array([f"case {at // 5}" for at in range(60)])
TRUTH = np.array([(at // 5) % 2 == 0 for at in range(60)])


def test_a_histogram_sums_to_one_before_its_roots() -> None:
    tile = np.random.default_rng(0).integers(0, 256, (30, 20, 3), np.uint8)
    found = colour_histogram(tile)
    assert found.shape == (432,)
    assert (found**2).sum() == pytest.approx(1)
    assert (colour_histogram(tile[::-1]) == found).all()


def test_an_informative_colour_is_learnt_and_another_is_not() -> None:
    rng = np.random.default_rng(0)
    informative = rng.random((60, 8)) + 2.0 * TRUTH[:, None]
    noise = rng.random((60, 8))
    for colours, low, high in ((informative, 0.99, 1.0), (noise, 0.2, 0.8)):
        found = ColourModel(colours.astype(np.float32), TRUTH, CASES)
        assert low <= roc_auc_score(TRUTH, found.margins(colours.astype(np.float32))) <= high


def test_colours_of_a_case_alone_do_not_help() -> None:
    """Each case has its own colour, which says its answer only to one who has seen the case."""
    own = np.repeat(np.random.default_rng(3).normal(size=(12, 30)), 5, axis=0).astype(np.float32)
    margins = ColourModel(own, TRUTH, CASES).margins(own)
    assert roc_auc_score(TRUTH, margins) < 0.8


def test_folds_never_part_a_case_and_leave_no_tile_out() -> None:
    seen: list[int] = []
    for known, unseen in by_case(TRUTH, CASES):
        assert set(CASES[known]).isdisjoint(CASES[unseen])
        seen += unseen.tolist()
    assert sorted(seen) == list(range(60))


def test_too_few_cases_cannot_be_split() -> None:
    with pytest.raises(ValueError, match="two cases"):
        list(by_case(np.array([True, True, False, False]), np.array(["a", "a", "b", "c"])))
