from __future__ import annotations

import numpy as np
import pytest

from training import tissue
from training.data import TILE


@pytest.mark.parametrize("kind", sorted({each.__name__ for each in tissue.DRAWN}))
def test_every_kind_of_tissue_is_two_layers_of_dye(kind: str) -> None:
    dye, eosin = getattr(tissue, kind)(np.random.default_rng(0))
    assert dye.shape == eosin.shape == (TILE, TILE)
    assert np.isfinite(dye).all()
    assert np.isfinite(eosin).all()


def test_a_drawing_repeats_with_its_seed_and_shows_no_lesion() -> None:
    first, again = (tissue.draw(np.random.default_rng(3)) for _ in range(2))
    assert (first == again).all()
    assert not first[..., 3].any()
    assert first[..., :3].std() > 1


def test_a_pool_of_no_share_is_empty() -> None:
    assert len(tissue.pool(np.random.default_rng(0), 0.0).canvases) == 0
    assert len(tissue.pool(np.random.default_rng(0), 0.1, count=2).canvases) == 2


def test_sprinkled_lymphocytes_darken_only_what_is_off_the_lesion() -> None:
    picture = np.full((TILE, TILE, 4), 200, np.uint8)
    picture[: TILE // 2, :, 3] = 255
    picture[TILE // 2 :, :, 3] = 0
    sprinkled = tissue.sprinkle(picture, np.random.default_rng(0))
    assert (sprinkled[: TILE // 2] == picture[: TILE // 2]).all()
    assert sprinkled[TILE // 2 :, :, 0].min() < 150
    assert (sprinkled[..., 3] == picture[..., 3]).all()
