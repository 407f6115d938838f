"""A tile, the decoded picture; and what distinguishes pages of one file."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from healer.errors.request import UnsupportedFormat

SEVERAL_PAGES_ADVICE = (
    "Choose one with the form field page (on the command line: --page N), or send each as a file "
    "of its own."
)
COMPARED_SIDE = 16
# On average, of 255. Two tiles of one stain come as near only by chance, and do not vary alike.
MAX_DIFFERENCE = 12.0
MIN_CORRELATION = 0.8  # Pearson's
FLAT = 3.0  # a standard deviation below which there is nothing to correlate
PLAUSIBLE_MPP = (0.05, 5.0)  # outside it, a resolution tag is a screen's or a printer's default
MICROMETRES_PER_INCH = 25_400.0


@dataclass(frozen=True, slots=True)
class Tile:
    """One field of view, decoded and upright.

    `pixels` is RGB, uint8, shape (height, width, 3); `mpp` is micrometres per pixel where known;
    `page` is the page it was read from, from 1, where the file holds several. `levels` is how many
    pictures of a whole slide's pyramid the file holds, 0 where it is no slide.
    """

    pixels: NDArray[np.uint8] = field(repr=False)
    mpp: float | None = None
    page: int | None = None
    levels: int = 0

    @property
    def height(self) -> int:
        return int(self.pixels.shape[0])

    @property
    def width(self) -> int:
        return int(self.pixels.shape[1])


def several_pages(format_: str, count: int, pages: int) -> UnsupportedFormat:
    """`count` pictures of full size among all `pages`, which can be chosen by their number."""
    kind = {"TIFF": "pages", "JPEG": "pictures"}.get(format_, "frames")
    name = {"WEBP": "WebP"}.get(format_, format_)
    return UnsupportedFormat(
        f"a {name} of {count:,} {kind} of full size", SEVERAL_PAGES_ADVICE, pages
    )


def is_reduced_copy(small: NDArray[np.uint8], large: NDArray[np.uint8]) -> bool:
    """Whether two pictures, RGB (height, width, 3), show the same field."""
    one, other = _thumbnail(small), _thumbnail(large)
    if np.abs(one - other).mean() > MAX_DIFFERENCE:
        return False
    if one.std() < FLAT and other.std() < FLAT:
        return True
    correlation = np.corrcoef(one.mean(axis=2).ravel(), other.mean(axis=2).ravel())[0, 1]
    return bool(correlation >= MIN_CORRELATION)


def _thumbnail(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    size = (COMPARED_SIDE, COMPARED_SIDE)
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BOX), np.float64)


def mpp_of(dpi: float | None) -> float | None:
    """Micrometres per pixel; None where the resolution is missing or implausible."""
    if dpi is None or not dpi > 0:
        return None
    mpp = MICROMETRES_PER_INCH / dpi
    low, high = PLAUSIBLE_MPP
    return mpp if low <= mpp <= high else None
