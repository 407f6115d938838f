"""Views of both sources, what they are said to show, and that no fold leaks into another."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from healer.engines.builtin.engine import SIDE
from training import kather, mix, tissue
from training.data import Tiles
from training.kather import EPITHELIAL, OUTPUTS, KatherTiles
from training.mix import Sources


@pytest.fixture(scope="module")
def source(drawn: Tiles, drawn_kather: KatherTiles) -> Sources:
    pool = tissue.pool(np.random.default_rng(0), 1.0, 2)
    return Sources(drawn, np.arange(len(drawn)) % kather.FOLDS, drawn_kather, pool)


def test_the_same_seed_gives_the_same_views(source: Sources) -> None:
    one, other = mix.draw(source, 12, 3), mix.draw(source, 12, 3)
    assert np.array_equal(one.pixels, other.pixels)
    assert np.array_equal(one.targets, other.targets)
    assert not np.array_equal(one.pixels, mix.draw(source, 12, 4).pixels)


def test_each_spot_shows_something_and_all_of_it_is_said(source: Sources) -> None:
    views = mix.draw(source, 24, 0)
    assert views.targets.shape == (24, OUTPUTS + 1, mix.SPOTS, mix.SPOTS)
    assert np.abs(views.targets.astype(int).sum(1) - 255).max() <= 3
    assert set(views.kinds) == set(mix.SHARES)


def test_a_view_of_one_class_says_that_class(drawn_kather: KatherTiles) -> None:
    rng = np.random.default_rng(0)
    for output in (0, kather.output_of("debris")):
        canvas, layout = mix.mosaic(drawn_kather, 0, (output, output), 2, rng)
        _, maps = mix.window(canvas, layout, 200, rng)
        assert torch.equal(maps[output], torch.ones(SIDE, SIDE))


def test_a_view_shows_its_own_fold_alone(drawn_kather: KatherTiles) -> None:
    """Tiles of fold f are painted in the shade of f: nothing else may be seen."""
    shades = (40 + 60 * drawn_kather.folds).astype(np.uint8)
    painted = replace(
        drawn_kather,
        pixels=np.broadcast_to(shades[:, None, None, None], drawn_kather.pixels.shape).copy(),
    )
    rng = np.random.default_rng(0)
    for fold in range(kather.FOLDS):
        for _ in range(8):
            pixels, _ = mix.kather_view(painted, fold, rng)
            assert pixels.mul(255).sub(40 + 60 * fold).abs().max() < 2


def test_tissue_alone_is_pasted_over_a_lesion(drawn_kather: KatherTiles) -> None:
    maps = torch.zeros(OUTPUTS + 1, SIDE, SIDE)
    maps[2] = 1
    for seed in range(10):
        _, pasted = mix.partner(drawn_kather, 0, maps, np.random.default_rng(seed))
        assert pasted[:EPITHELIAL].sum() == 0


def test_pasting_changes_pixels_and_targets_alike() -> None:
    pixels, other = torch.zeros(3, SIDE, SIDE), torch.ones(3, SIDE, SIDE)
    maps = torch.zeros(OUTPUTS + 1, SIDE, SIDE)
    others = maps.clone()
    maps[0], others[7] = 1, 1
    rng = np.random.default_rng(5)
    mix.paste(pixels, maps, other, others, rng)
    assert 0.1 < float(maps[7].mean()) < 0.9
    assert torch.allclose(maps[0] + maps[7], torch.ones(SIDE, SIDE), atol=1e-5)
    assert float(pixels[0][maps[7] > 0.95].min()) > float(pixels[0][maps[7] < 0.05].max())
