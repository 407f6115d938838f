"""Which areas of a slide are read as tiles, and in which order.

Coarse to fine, soon around whatever looks suspicious, and where only a few suspicious tiles lie
together, half-way between them too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import ceil

import numpy as np
import shapely
from numpy.typing import NDArray

from healer.slides.overview import Mask
from healer.slides.reader import Area, Resolution
from healer.slides.regions import TOP, TileNeighbours, grown_boxes, shows_precursor
from healer.slides.scoring import TileResult

COARSEST = 8  # grid steps between the tiles that are read first
SHIFTS = (-0.5, 0.0, 0.5)


@dataclass(frozen=True, slots=True)
class TileGrid:
    """Squares of `um_per_px` × `px` micrometres, `step` level-0 pixels apart along each axis; from
    the slide's corner, so that the same slide always has the same tiles."""

    width: int
    height: int
    step_x: float
    step_y: float

    @classmethod
    def of(cls, resolution: Resolution, um_per_px: float, px: int, overlap: float) -> TileGrid:
        """`overlap` is the share of its side that a tile has in common with the next, from 0 and
        below 1."""
        if not 0 <= overlap < 1:
            raise ValueError(f"an overlap of {overlap}")
        across, down = um_per_px * px / resolution.x, um_per_px * px / resolution.y
        return cls(
            ceil(across),
            ceil(down),
            across * (1 - overlap),
            down * (1 - overlap),
        )

    def area(self, row: int, column: int) -> Area:
        return Area(round(column * self.step_x), round(row * self.step_y), self.width, self.height)


def tile_areas(
    mask: Mask, resolution: Resolution, um_per_px: float, px: int, overlap: float = 0.0
) -> list[Area]:
    """Every tile with tissue in it: a coarse grid over all of it first, then ever finer ones, so
    that an early map shows the whole slide. Tiles at the edge may reach past the slide."""
    grid = TileGrid.of(resolution, um_per_px, px, overlap)
    cells = np.argwhere(_with_tissue(mask, grid))
    return [grid.area(int(row), int(column)) for row, column in _coarse_to_fine(cells)]


def _with_tissue(mask: Mask, grid: TileGrid) -> NDArray[np.bool_]:
    """By row and column of the grid."""
    height, width = mask.tissue.shape
    rows = ceil(height * mask.scale[1] / grid.step_y)
    columns = ceil(width * mask.scale[0] / grid.step_x)
    # Summed-area table: a tile's tissue is four look-ups, whatever its size.
    sums = np.pad(mask.tissue.cumsum(0, dtype=np.int64).cumsum(1), ((1, 0), (1, 0)))
    tops, bottoms = _edges(rows, grid.step_y, grid.height, mask.scale[1], height)
    lefts, rights = _edges(columns, grid.step_x, grid.width, mask.scale[0], width)
    counts = (
        sums[np.ix_(bottoms, rights)]
        - sums[np.ix_(tops, rights)]
        - sums[np.ix_(bottoms, lefts)]
        + sums[np.ix_(tops, lefts)]
    )
    has_tissue: NDArray[np.bool_] = counts > 0
    return has_tissue


def _edges(
    count: int, step: float, side: int, scale: float, limit: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """First and last mask pixel of each tile along one axis, by their centres as in `Mask`."""
    starts = np.round(np.arange(count) * step)
    first = np.ceil(starts / scale - 0.5).clip(0, limit).astype(np.int64)
    last = np.ceil((starts + side) / scale - 0.5).clip(0, limit).astype(np.int64)
    return first, last


def _coarse_to_fine(cells: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Cells whose row and column are multiples of COARSEST first, then of half of it, and so on.

    Every cell comes once, row by row within its round.
    """
    rows, columns = cells[:, 0], cells[:, 1]
    rounds = np.zeros(len(cells), np.int64)
    step = COARSEST
    while step > 1:
        rounds += (rows % step != 0) | (columns % step != 0)
        step //= 2
    for at in np.lexsort((columns, rows, rounds)):
        yield int(rows[at]), int(columns[at])


class ReadingOrder:
    """Iterates over `areas`, given coarse to fine, while `learn` brings forward the unread ones
    that touch a tile whose probability is at least `cut`."""

    def __init__(self, areas: Sequence[Area], cut: float) -> None:
        self._areas, self._cut = areas, cut
        self._read = [False] * len(areas)
        self._urgent: deque[int] = deque()
        self._ordinary = deque(range(len(areas)))
        self._tree = shapely.STRtree(grown_boxes(areas))

    def __iter__(self) -> Iterator[Area]:
        return self

    def __next__(self) -> Area:
        for waiting in (self._urgent, self._ordinary):
            while waiting:
                at = waiting.popleft()
                if not self._read[at]:
                    self._read[at] = True
                    return self._areas[at]
        raise StopIteration

    def learn(self, results: Sequence[TileResult]) -> None:
        suspicious = [each.area for each in results if (each.probability or 0.0) >= self._cut]
        if suspicious:
            found = self._tree.query(grown_boxes(suspicious), predicate="intersects")[1]
            self._urgent.extend(at for at in np.unique(found).tolist() if not self._read[at])


def areas_between(results: Sequence[TileResult], cut: float) -> list[Area]:
    """Areas half a tile off those that are at least `cut`, or show a precursor, where fewer than
    TOP of such touch: a small lesion then has as many tiles that bear it out as a large one."""
    tiles = [each for each in results if (each.probability or 0.0) >= cut or shows_precursor(each)]
    if not tiles:
        return []
    few = TileNeighbours([each.area for each in tiles]).in_groups_below(TOP)
    known = {each.area for each in results}
    wanted: dict[Area, None] = {}
    for at in few:
        area = tiles[at].area
        for down in SHIFTS:
            for across in SHIFTS:
                shifted = Area(
                    area.x + round(across * area.width),
                    area.y + round(down * area.height),
                    area.width,
                    area.height,
                )
                if shifted not in known:
                    wanted[shifted] = None
    return list(wanted)
