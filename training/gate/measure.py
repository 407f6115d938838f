"""What the gate refuses, of what it was not fitted on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold

from healer.quality.gate import DETAIL, HISTOLOGY, TISSUE, Check
from training.gate.fit import CLOSE, histology_head, scores
from training.gate.table import Table

FOLDS = 4
LABORATORIES = {
    "kather2016": "Kather 2016",
    "nct": "NCT-CRC and CRC-VAL",
    "crcval": "NCT-CRC and CRC-VAL",
}
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


def laboratory(table: Table) -> NDArray[np.str_]:
    """By the names of the tiles; pictures and drawings have none of these."""
    return np.array([LABORATORIES.get(source.split("-")[0], "EBHI-Seg") for source in table.source])


def other_laboratory(table: Table) -> Iterator[tuple[str, Table, NDArray[np.float64]]]:
    """One laboratory left out at a time, with its tiles as they are and as seen elsewhere."""
    whose, real = laboratory(table), np.isin(table.part, ["ebhi", "samples"])
    for name in ("EBHI-Seg", *dict.fromkeys(LABORATORIES.values())):
        own = whose == name
        fitted = histology_head(table.take(~(table.histology & own)))
        for kind, inside in (("as they are", real), ("seen elsewhere", ~real)):
            tried = table.take(table.histology & own & inside)
            yield f"{name}, {kind}", tried, scores(fitted, tried)


def by_source(table: Table) -> NDArray[np.str_]:
    return table.source


def by_origin(table: Table) -> NDArray[np.str_]:
    """A whole package, a whole way of drawing, or a whole stain is left out at a time."""
    package = np.array([source.split("/")[0] for source in table.source])
    origin = np.where(table.part == "pictures", package, table.kind)
    return np.where(table.histology, table.source, origin)


def family(table: Table) -> NDArray[np.str_]:
    """The rows of the summary."""
    names = {
        "pictures": "found pictures",
        "drawn": "drawn pictures",
        "altered": "other stains, spoilt tiles",
        "glass": "bare glass",
    }
    of_part = np.array([names.get(part, part) for part in table.part])
    return np.where(np.isin(table.kind, list(CLOSE)), "close to H&E on purpose", of_part)


def by_kind(table: Table) -> NDArray[np.str_]:
    return table.kind


def by_part(table: Table) -> NDArray[np.str_]:
    return table.part


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
