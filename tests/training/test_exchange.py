"""Colours that pictures take from each other."""

from __future__ import annotations

import numpy as np
import torch

from training import exchange


def pictures(count: int, seed: int) -> torch.Tensor:
    source = torch.Generator().manual_seed(seed)
    return 0.2 + 0.6 * torch.rand(count, 3, 24, 24, generator=source)


def test_a_picture_moves_towards_the_others_colours() -> None:
    own = pictures(4, 1)
    other = pictures(4, 2) * torch.tensor([0.9, 0.3, 0.6])[:, None, None]
    moved = exchange.transfer(own, other, torch.Generator().manual_seed(0))
    before, after, wanted = (exchange.density(each).mean(2) for each in (own, moved, other))
    assert ((after - wanted).abs() < (before - wanted).abs() * 0.6 + 0.02).all()


def test_a_picture_takes_nothing_from_itself() -> None:
    own = pictures(3, 1)
    assert torch.allclose(exchange.transfer(own, own, torch.Generator()), own, atol=1e-3)


def test_the_square_root_is_one() -> None:
    densities = exchange.density(pictures(2, 3))
    root = exchange.root(densities)
    centred = densities - densities.mean(2, keepdim=True)
    covariance = centred @ centred.transpose(1, 2) / densities.shape[2]
    assert torch.allclose(root @ root, covariance + exchange.FLOOR * torch.eye(3), atol=1e-4)


def test_no_colours_come_from_another_fold() -> None:
    """A fold of one picture has none but its own: what others show does not matter."""
    folds = np.array([0, 1, 1, 1])
    one, other = (pictures(4, 5) for _ in range(2))
    other[1:] = pictures(3, 6)
    changed = [
        exchange.augment(each, folds, torch.Generator().manual_seed(4))[0] for each in (one, other)
    ]
    assert torch.allclose(changed[0], changed[1], atol=1e-5)
