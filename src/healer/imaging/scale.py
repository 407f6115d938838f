"""A resolution tag as micrometres per pixel, where it can be a microscope's."""

from __future__ import annotations

PLAUSIBLE_MPP = (0.05, 5.0)  # outside it, a resolution tag is a screen's or a printer's default
MICROMETRES_PER_INCH = 25_400.0


def mpp_of(dpi: float | None) -> float | None:
    if dpi is None or not dpi > 0:
        return None
    mpp = MICROMETRES_PER_INCH / dpi
    low, high = PLAUSIBLE_MPP
    return mpp if low <= mpp <= high else None
