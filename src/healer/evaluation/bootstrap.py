"""Intervals that respect cases: tiles of one patient are drawn together or not at all."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

Rows = NDArray[np.int64]
Values = Mapping[str, float]

RESAMPLES = 1000
SEED = 0
LEVEL = (2.5, 97.5)
LEAST_DEFINED = 0.5


def resampled(cases: Sequence[str], count: int, seed: int = SEED) -> Iterator[Rows]:
    """`count` draws of as many cases as there are, with replacement, as row numbers."""
    _, owner = np.unique(np.asarray(cases, dtype=np.str_), return_inverse=True)
    by_case = np.argsort(owner, kind="stable")
    sizes = np.bincount(owner)
    starts = np.cumsum(sizes) - sizes
    rng = np.random.default_rng(seed)
    for _ in range(count):
        drawn = rng.integers(0, len(sizes), len(sizes))
        lengths = sizes[drawn]
        shift = np.repeat(starts[drawn] - (np.cumsum(lengths) - lengths), lengths)
        yield by_case[shift + np.arange(lengths.sum())]


def intervals(
    measure: Callable[[Rows], Values], cases: Sequence[str], count: int, seed: int = SEED
) -> dict[str, tuple[float, float]]:
    """95 % percentile interval of each value; absent where too few draws define it."""
    if count < 2 or len(set(cases)) < 2:
        return {}
    drawn = [measure(rows) for rows in resampled(cases, count, seed)]
    out = {}
    for name in drawn[0]:
        values = np.array([values[name] for values in drawn])
        defined = values[np.isfinite(values)]
        if len(defined) >= LEAST_DEFINED * count:
            low, high = np.percentile(defined, LEVEL)
            out[name] = (float(low), float(high))
    return out


FOLDS = 5
LEAST = 2


def by_case(
    truth: NDArray[np.bool_], cases: NDArray[np.str_], most: int = FOLDS, seed: int = 0
) -> Iterator[tuple[Rows, Rows]]:
    """(known rows, unseen rows), classes spread evenly; fewer folds where cases are few.

    Raises ValueError where a part would hold one class only.
    """
    count = min(most, *(len(set(cases[truth == side].tolist())) for side in (True, False)))
    if count < LEAST:
        raise ValueError("each answer needs at least two cases")
    split = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    for known, unseen in split.split(np.zeros(len(truth)), truth, cases):
        if truth[known].all() or not truth[known].any():
            raise ValueError("a part of the cases holds one answer only")
        yield known, unseen
