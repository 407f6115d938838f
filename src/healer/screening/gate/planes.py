"""Colour planes, and what is lost when they are halved."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Figures = dict[str, float]


def halved(planes: Floats) -> Floats:
    """Means of two by two pixels; rows and columns are the last two axes."""
    rows, columns = planes.shape[-2] // 2 * 2, planes.shape[-1] // 2 * 2
    pairs = planes[..., 0:rows:2, :columns] + planes[..., 1:rows:2, :columns]
    return np.asarray((pairs[..., 0::2] + pairs[..., 1::2]) * np.float32(0.25))


def octaves(planes: Floats, count: int) -> Iterator[Floats]:
    """What halving takes away, finest first; fewer than `count` where the picture is small."""
    for _ in range(count):
        if min(planes.shape[-2:]) < 4:
            return
        coarse = halved(planes)
        rows, columns = coarse.shape[-2:]
        fine = planes[:, : rows * 2, : columns * 2].reshape(-1, rows, 2, columns, 2)
        yield fine - coarse[:, :, None, :, None]
        planes = coarse
