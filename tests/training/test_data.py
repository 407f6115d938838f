from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from training import data
from training.data import Tiles


def test_no_case_is_on_both_sides(drawn: Tiles) -> None:
    seen: list[int] = []
    for known, unseen in data.folds(drawn, 4, seed=0):
        assert not set(drawn.cases[known]) & set(drawn.cases[unseen])
        seen.extend(unseen)
    assert sorted(seen) == list(range(len(drawn)))


@pytest.fixture(scope="module")
def real(data_dir: Path) -> Tiles:
    return data.load(data_dir / "ebhi-seg", limit=600)


@pytest.mark.parametrize("seed", [0, 1])
def test_no_real_case_is_on_both_sides(real: Tiles, seed: int) -> None:
    for known, unseen in data.folds(real, 4, seed):
        assert not set(real.cases[known]) & set(real.cases[unseen])
        assert set(real.labels[unseen]) == set(range(len(data.LABELS)))


def test_tiles_without_a_mask_are_never_drawn(drawn: Tiles) -> None:
    masked = np.arange(len(drawn)) != 7
    weights = data.sampling_weights(replace(drawn, masked=masked))
    assert weights[7] == 0
    assert (weights[masked] > 0).all()
    assert np.isclose(weights.sum(), 1)


def test_rare_classes_are_drawn_more_often(real: Tiles) -> None:
    weights = data.sampling_weights(real)
    serrated = weights[real.labels == data.LABELS.index("serrated-adenoma")]
    cancer = weights[real.labels == data.LABELS.index("adenocarcinoma")]
    assert serrated.mean() > 2 * cancer.mean()


def test_limit_keeps_about_that_many(data_dir: Path) -> None:
    assert 50 <= len(data.load(data_dir / "ebhi-seg", limit=50)) <= 52
