"""Splits that never part a case."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import StratifiedGroupKFold

FOLDS = 5
LEAST = 2

Rows = NDArray[np.int64]


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
