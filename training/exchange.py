"""Other laboratories nearer to real ones than `augment` imitates them: half of the pictures take
another's colours, of either source, and all are changed less."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training import augment as usual
from training.augment import Change, uniform

TRANSFERRED = 0.5  # share of pictures that take another's colours
FLOOR = 0.02**2  # of the variance of a density: a nearly empty picture has none to give


def transfer(x: Tensor, other: Tensor, source: torch.Generator) -> Tensor:
    """Pictures (n, 3, h, w) with mean and covariance of their optical densities drawn towards the
    others', by half or more."""
    own, wanted = density(x), density(other)
    mean, wanted_mean = own.mean(2, keepdim=True), wanted.mean(2, keepdim=True)
    turn = root(wanted) @ torch.linalg.inv(root(own))
    moved = turn @ (own - mean) + wanted_mean
    part = uniform((len(x), 1, 1), 0.5, 1.0, source)
    return torch.exp(-(own + part * (moved - own))).clamp(0, 1).view_as(x)


def density(x: Tensor) -> Tensor:
    return -torch.log(x.clamp(1 / 255, 1)).flatten(2)


def root(densities: Tensor) -> Tensor:
    """The symmetric square root of each picture's covariance of channels, (n, 3, 3)."""
    centred = densities - densities.mean(2, keepdim=True)
    covariance = centred @ centred.transpose(1, 2) / densities.shape[2]
    values, vectors = torch.linalg.eigh(covariance + FLOOR * torch.eye(3))
    half: Tensor = vectors @ torch.diag_embed(values.clamp(min=FLOOR).sqrt())
    found: Tensor = half @ vectors.transpose(1, 2)
    return found


STEPS: tuple[tuple[float, Change], ...] = (
    (0.6, partial(usual.restain, amount=0.3, colour=0.05)),
    (0.6, usual.rebalance),
    (0.2, partial(usual.recolour, saturation=(0.7, 1.4), hue=0.15)),
    (0.25, usual.blur),
    (0.15, usual.sharpen),
    (0.1, usual.coarsen),
    (0.15, partial(usual.grain, most=0.03)),
    (0.2, usual.jpeg),
)


def augment(x: Tensor, folds: NDArray[np.int64], source: torch.Generator) -> Tensor:
    """Colours are taken from pictures of the same fold, of either source."""
    partner = torch.arange(len(x))
    for fold in np.unique(folds):
        rows = torch.from_numpy(np.flatnonzero(folds == fold))
        partner[rows] = rows[torch.randperm(len(rows), generator=source)]
    chosen = torch.rand(len(x), generator=source) < TRANSFERRED
    changed = x.clone()
    changed[chosen] = transfer(x[chosen], x[partner[chosen]], source)
    return usual.augment(changed, source, STEPS)
