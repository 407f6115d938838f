"""Pages of one file: further pictures, smaller copies of one, and their scale."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from healer.errors import UnsupportedFormat

ADVICE = (
    "Choose one with the form field page (on the command line: --page N), or send each as a file "
    "of its own."
)


def several_pages(format_: str, count: int, pages: int) -> UnsupportedFormat:
    """`count` pictures of full size among all `pages`, which can be chosen by their number."""
    kind = {"TIFF": "pages", "JPEG": "pictures"}.get(format_, "frames")
    name = {"WEBP": "WebP"}.get(format_, format_)
    return UnsupportedFormat(f"a {name} of {count:,} {kind} of full size", ADVICE, pages)


SIDE = 16
# On average, of 255. Two tiles of one stain come as near only by chance, and do not vary alike.
NEAR = 12.0
ALIKE = 0.8  # Pearson's correlation
FLAT = 3.0  # a standard deviation below which there is nothing to correlate


def is_reduced_copy(small: NDArray[np.uint8], large: NDArray[np.uint8]) -> bool:
    one, other = _shrunk(small), _shrunk(large)
    if np.abs(one - other).mean() > NEAR:
        return False
    if one.std() < FLAT and other.std() < FLAT:
        return True
    return bool(np.corrcoef(one.mean(axis=2).ravel(), other.mean(axis=2).ravel())[0, 1] >= ALIKE)


def _shrunk(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    image = Image.fromarray(pixels).resize((SIDE, SIDE), Image.Resampling.BOX)
    return np.asarray(image, np.float64)


PLAUSIBLE_MPP = (0.05, 5.0)  # outside it, a resolution tag is a screen's or a printer's default
MICROMETRES_PER_INCH = 25_400.0


def mpp_of(dpi: float | None) -> float | None:
    if dpi is None or not dpi > 0:
        return None
    mpp = MICROMETRES_PER_INCH / dpi
    low, high = PLAUSIBLE_MPP
    return mpp if low <= mpp <= high else None
