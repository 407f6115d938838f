from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional

from training import views
from training.data import TILE, Tiles
from training.views import View


def test_the_whole_view_is_the_tile() -> None:
    picture = torch.rand(1, 3, 32, 32)
    place = views.grid([View((0, 0), (1, 1), 0, mirror=False)], side=32)
    assert torch.allclose(functional.grid_sample(picture, place, align_corners=False), picture)


def test_a_mirrored_view_is_the_mirrored_tile() -> None:
    picture = torch.rand(1, 3, 32, 32)
    place = views.grid([View((0, 0), (1, 1), 0, mirror=True)], side=32)
    seen = functional.grid_sample(picture, place, align_corners=False)
    assert torch.allclose(seen, picture.flip(3))


def test_half_the_window_is_twice_the_magnification() -> None:
    place = views.grid([View((0.5, 0.5), (0.5, 0.5), 0, mirror=False)], side=16)
    assert float(place.min()) > 0
    assert float(place.max()) < 1


@pytest.mark.parametrize("fold", [1.0, 2.0, 3.0])
def test_a_folded_view_stays_in_its_window(fold: float) -> None:
    place = views.grid([View((0, 0), (0.2, 0.2), 0, mirror=False, fold=fold)])
    assert float(place.abs().max()) <= 0.2 + 1e-6


def test_lesion_views_show_lesion_and_other_views_do_not(drawn: Tiles) -> None:
    rng = np.random.default_rng(0)
    picture = views.layers(drawn, 0)
    mask = picture[..., 3]
    there = [views.share(mask, views.lesion_view(mask, rng, (0.28, 1.0))) for _ in range(50)]
    away = [views.share(mask, views.other_view(picture, rng)) for _ in range(50)]
    assert np.mean(there) > 0.3
    assert np.mean(away) < 0.02


def test_a_mosaic_is_one_tile_wide_and_keeps_its_share_of_lesion(drawn: Tiles) -> None:
    picture = views.mosaic(drawn, 3, np.random.default_rng(0))
    assert picture.shape == (TILE, TILE, 4)
    assert abs(picture[..., 3].mean() - drawn.masks[3].mean()) < 2


def test_the_darkest_clear_window_is_sought_too(drawn: Tiles) -> None:
    picture = views.layers(drawn, 0).copy()
    picture[..., 3] = 0
    picture[: TILE // 4, : TILE // 4, :3] = 0
    rng = np.random.default_rng(0)
    reds = [views.share(picture[..., 0], views.other_view(picture, rng)) for _ in range(60)]
    assert min(reds) < 0.2
    assert max(reds) > 0.5


def test_drawing_repeats_with_its_seed(drawn: Tiles) -> None:
    rows = np.arange(6)
    first, mask = views.draw(drawn, rows, np.random.default_rng(5))
    again, _ = views.draw(drawn, rows, np.random.default_rng(5))
    assert torch.equal(first, again)
    assert first.shape[2:] == mask.shape[1:]
