"""Outlines of the tissue that was not read, and why: for the page, and for QuPath."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from healer.slides.overview import Mask
from healer.slides.regions import Polygon, rings_of
from healer.slides.scoring import CoverageLedger

MOST_CELLS = 768  # along the longer side: outlines of single pixels of the mask help nobody


@dataclass(frozen=True, slots=True)
class UnreadTissue:
    """`reason` is a code of the gate, `unreadable` or `unvisited`; `outline` in level-0 pixels."""

    reason: str
    outline: tuple[Polygon, ...]
    area_mm2: float


def unread_tissue(ledger: CoverageLedger, mask: Mask) -> Iterator[UnreadTissue]:
    for reason, pixels in ledger.unread():
        boxes = shapely.box(*_boxes(*_coarser(pixels, mask.scale)).T)
        outline = rings_of(shapely.union_all(boxes))
        yield UnreadTissue(reason, outline, float(np.count_nonzero(pixels)) * mask.mm2_per_px)


def _coarser(
    pixels: NDArray[np.bool_], scale: tuple[float, float]
) -> tuple[NDArray[np.bool_], tuple[float, float]]:
    """Cells of which at least one pixel is set, and their scale."""
    step = max(1, -(-max(pixels.shape) // MOST_CELLS))
    height, width = (-(-side // step) * step for side in pixels.shape)
    padded = np.zeros((height, width), np.bool_)
    padded[: pixels.shape[0], : pixels.shape[1]] = pixels
    cells: NDArray[np.bool_] = padded.reshape(height // step, step, width // step, step).max(
        axis=(1, 3)
    )
    return cells, (scale[0] * step, scale[1] * step)


def _boxes(cells: NDArray[np.bool_], scale: tuple[float, float]) -> NDArray[np.float64]:
    """Left, top, right and bottom of each run of cells in a row, in level-0 pixels."""
    edges = np.diff(np.pad(cells, ((0, 0), (1, 1))).astype(np.int8), axis=1)
    rows, starts = np.nonzero(edges == 1)
    _, ends = np.nonzero(edges == -1)
    across, down = scale
    return np.stack([starts * across, rows * down, ends * across, (rows + 1) * down], axis=1)
