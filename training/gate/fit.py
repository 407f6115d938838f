"""How the two heads of the gate are fitted on a table, and which rows count how much."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from healer.quality.gate import HistologyHead
from training.gate import head
from training.gate.table import Table

TREES, STAIN_TREES = 400, 120
# Not what the trees should decide on: other checks have them, or they say the same twice.
UNREAD = {"deviation", "detail", "native_detail", "noise"}
COLOUR = re.compile(
    "raw_|white_|red_green|blue_green|ground|corr_|most_sat|green_low|blue_low|red_low|light$|contrast"
)
# Made out of real tiles, or in their colours, and close to them: with full weight they would
# teach that whatever looks a little different from the tiles at hand is not histology.
CLOSE = {
    "coloured like tissue",
    "scrambled tile",
    "alcian blue",
    "trichrome",
    "light green trichrome",
    "out of focus",
    "drowned in noise",
}
CLOSE_WEIGHT = 0.05


def histology_head(table: Table) -> HistologyHead:
    rows = _informative(table)
    names = [name for name in table.names if name not in UNREAD]
    return _fitted(rows, names, TREES)


def stain_head(table: Table) -> HistologyHead:
    """By colour alone, so without negatives whose colour may be anything, H&E's among them."""
    rows = _informative(table)
    rows = rows.take(~np.isin(rows.part, ["drawn", "coloured"]) & ~np.isin(rows.kind, list(CLOSE)))
    return _fitted(rows, [name for name in table.names if COLOUR.match(name)], STAIN_TREES)


def _informative(table: Table) -> Table:
    """Without tissue there is nothing to learn: another check refuses those."""
    return table.take(table.histology | (table.part != "glass"))


def _fitted(rows: Table, names: list[str], trees: int) -> HistologyHead:
    columns = [list(rows.names).index(name) for name in names]
    return head.fit(rows.figures[:, columns], rows.histology, weights(rows), names, trees=trees)


def weights(rows: Table) -> NDArray[np.float64]:
    """Half for histology; within each half, a kind counts as the root of its size."""
    weight = np.zeros(len(rows))
    labels = np.char.add(np.char.add(rows.part, "/"), rows.kind)
    for label in np.unique(labels):
        inside = labels == label
        weight[inside] = 1 / np.sqrt(inside.sum())
    weight[np.isin(rows.kind, list(CLOSE)) & ~rows.histology] *= CLOSE_WEIGHT
    for half in (rows.histology, ~rows.histology):
        weight[half] /= weight[half].sum()
    return weight


def scores(fitted: HistologyHead, table: Table) -> NDArray[np.float64]:
    columns = [list(table.names).index(name) for name in fitted.names]
    return head.probabilities(fitted, table.figures[:, columns])
