from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from healer.evaluation.shifts import NONE
from training import crossval, fit
from training.crossval import Member
from training.data import OTHER, OUTPUTS, Tiles
from training.fit import Recipe
from training.network import pretrained

TINY = Recipe(epochs=1, drawn=(0.0, 0.0), batch=6, neck=8)


def trained(tiles: Tiles, seed: int) -> dict[str, torch.Tensor]:
    with crossval.bars() as progress:
        return dict(fit.fit(tiles, TINY, seed, progress, "test").state_dict())


def test_targets_are_shares_of_one() -> None:
    labels, masks = torch.tensor([0, 3]), torch.stack([torch.ones(64, 64), torch.zeros(64, 64)])
    tile = fit.tile_targets(labels, masks, smoothing=0.0)
    spots = fit.spot_targets(labels, masks)
    assert tile.argmax(1).tolist() == [0, OTHER]
    assert torch.allclose(spots.sum(1), torch.ones(2, 4, 4))
    assert spots.shape == (2, OUTPUTS, 4, 4)


def test_an_emptied_picture_is_other_tissue(drawn: Tiles) -> None:
    recipe = Recipe(drawn=(0.0,), batch=8, faded=1.0)
    _, labels, masks = next(fit.batches(drawn, recipe, seed=0))
    assert (fit.tile_targets(labels, masks, 0.0).argmax(1) == OTHER).all()


@pytest.mark.slow
def test_the_same_seed_gives_the_same_network(drawn: Tiles) -> None:
    first, again, other = (trained(drawn, seed) for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_training_lowers_the_loss(drawn: Tiles) -> None:
    recipe = Recipe(epochs=8, drawn=(0.0,), batch=12, average=0.5, neck=16)
    torch.manual_seed(0)
    before = pretrained(recipe.neck)
    with crossval.bars() as progress:
        after = fit.fit(drawn, recipe, 0, progress, "test")
    batch = next(fit.batches(drawn, recipe, seed=9))
    with torch.no_grad():
        assert fit.loss_of(after, batch, recipe) < fit.loss_of(before, batch, recipe) - 0.2


@pytest.mark.slow
def test_members_are_saved_and_not_trained_twice(drawn: Tiles, tmp_path: Path) -> None:
    crossval.train(drawn, TINY, 1, tmp_path)
    files = sorted(tmp_path.iterdir())
    written = [file.stat().st_mtime_ns for file in files]
    crossval.train(drawn, TINY, 1, tmp_path)
    assert len(files) == crossval.FOLDS * TINY.cycles
    assert [file.stat().st_mtime_ns for file in files] == written


@pytest.mark.slow
def test_out_of_fold_scores_come_from_members_that_never_saw_the_case(
    drawn: Tiles, tmp_path: Path
) -> None:
    crossval.train(drawn, TINY, 1, tmp_path)
    scores = crossval.out_of_fold(drawn, TINY, 1, tmp_path, NONE)
    member = Member(0, 2)
    known, unseen = crossval.rows_of(drawn, member)
    alone = fit.predict(crossval.read(member, TINY, tmp_path), drawn.pixels[unseen])
    assert not set(drawn.cases[known]) & set(drawn.cases[unseen])
    assert np.allclose(scores[unseen], alone, atol=1e-5)
    assert np.allclose(np.exp(scores).sum(1), 1, atol=1e-5)
