"""What the gate refuses, of what it was not fitted on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold

from healer.screening.gate.checks import DETAIL, HISTOLOGY, TISSUE, Check
from training.gate.fit import histology_head, scores
from training.gate.table import Table

FOLDS = 4
Rows = NDArray[np.bool_]


def refused(table: Table, score: NDArray[np.float64]) -> Rows:
    """What the gate would refuse, were its head's score `score`."""

    def fails(check: Check, figure: NDArray[np.floating]) -> Rows:
        return np.asarray(figure > check.bound if check.at_most else figure < check.bound)

    result = fails(HISTOLOGY, score)
    for check in (TISSUE, *DETAIL):
        result = result | fails(check, table.column(check.figure))
    return result


def held_out(table: Table, groups: NDArray[np.str_]) -> NDArray[np.float64]:
    """Each row's score by a head that saw nothing of the row's group."""
    score = np.zeros(len(table))
    number = np.unique(groups, return_inverse=True)[1]
    folds = GroupKFold(FOLDS, shuffle=True, random_state=0)
    for train, test in folds.split(table.figures, groups=number):
        inside = np.isin(np.arange(len(table)), train)
        score[test] = scores(histology_head(table.take(inside)), table.take(~inside))
    return score


def other_laboratory(table: Table) -> Iterator[tuple[str, Table, NDArray[np.float64]]]:
    """Fitted on EBHI-Seg alone and tried on the samples' laboratories, and the reverse."""
    ours = np.isin(table.part, ["samples", "samples elsewhere"])
    theirs = np.isin(table.part, ["ebhi", "ebhi elsewhere", "overviews"])
    for name, train, test in (
        ("fitted on EBHI-Seg only", theirs, ours),
        ("fitted on the samples only", ours, theirs),
    ):
        fitted = histology_head(table.take(train | ~table.histology))
        tried = table.take(test)
        yield name, tried, scores(fitted, tried)


def by_source(table: Table) -> NDArray[np.str_]:
    return table.source


def by_origin(table: Table) -> NDArray[np.str_]:
    """A whole package, a whole way of drawing, or a whole stain is left out at a time."""
    package = np.array([source.split("/")[0] for source in table.source])
    origin = np.where(table.part == "pictures", package, table.kind)
    return np.where(table.histology, table.source, origin)


def rows_of(
    table: Table, key: Callable[[Table], NDArray[np.str_]], verdicts: dict[str, Rows]
) -> list[tuple[str, int, list[float]]]:
    """(label, number, share refused by each of `verdicts`) for each label."""
    labels = key(table)
    return [
        (
            str(label),
            int((labels == label).sum()),
            [float(v[labels == label].mean()) for v in verdicts.values()],
        )
        for label in np.unique(labels)
    ]
