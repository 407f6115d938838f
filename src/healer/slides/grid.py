"""Which areas of a slide are read as tiles, and in which order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import NDArray

from healer.slides.geometry import Area, Resolution
from healer.slides.tissue import Mask

COARSEST = 8  # grid steps between the tiles that are read first


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
