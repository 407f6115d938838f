"""A tile: the picture every other part of Healer looks at."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Tile:
    """One field of view, decoded and upright.

    `pixels` is RGB, uint8, shape (height, width, 3); `mpp` is micrometres per pixel where known;
    `page` is the page it was read from, from 1, where the file holds several.
    """

    pixels: NDArray[np.uint8] = field(repr=False)
    mpp: float | None = None
    page: int | None = None

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])
