"""Planes of colour, and what is lost when they are halved."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations_with_replacement, pairwise

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Figures = dict[str, float]


def halved(planes: Floats) -> Floats:
    """Means of two by two pixels; rows and columns are the last two axes."""
    rows, columns = planes.shape[-2] // 2 * 2, planes.shape[-1] // 2 * 2
    pairs = planes[..., 0:rows:2, :columns] + planes[..., 1:rows:2, :columns]
    return np.asarray((pairs[..., 0::2] + pairs[..., 1::2]) * np.float32(0.25))


def halvings(planes: Floats, count: int) -> list[Floats]:
    """`planes`, and what halving makes of them again and again; fewer than `count` more where the
    picture is small."""
    found = [planes]
    while len(found) <= count and min(found[-1].shape[-2:]) >= 4:
        found.append(halved(found[-1]))
    return found


def octaves(levels: Sequence[Floats]) -> Iterator[Floats]:
    """What halving takes away, finest first, given what it makes."""
    for planes, coarse in pairwise(levels):
        count, rows, columns = coarse.shape
        wide = np.empty((count, rows, 1, 2 * columns), np.float32)  # each value twice in its row
        wide[..., 0::2] = wide[..., 1::2] = coarse[:, :, None]
        pairs = planes[:, : 2 * rows, : 2 * columns].reshape(count, rows, 2, 2 * columns)
        yield (pairs - wide).reshape(count, 2 * rows, 2 * columns)


def fraction(mask: NDArray[np.bool_]) -> float:
    """`mask.mean()`, without a number for every pixel."""
    return np.count_nonzero(mask) / mask.size


def products(rows: Floats) -> Floats:
    """`rows @ rows.T`, by products of two rows each: with few rows, and those long, BLAS takes
    several times as long for the whole."""
    found = np.empty((len(rows), len(rows)), np.float32)
    for one, other in combinations_with_replacement(range(len(rows)), 2):
        found[one, other] = found[other, one] = rows[one] @ rows[other]
    return found


def planes_of(view: NDArray[np.uint8]) -> Floats:
    return np.ascontiguousarray(view.transpose(2, 0, 1), np.float32)


def sample_of(half: Floats) -> Floats:
    return half[:, ::2, ::2]
