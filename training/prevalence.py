"""Which share of cancer the calibration is fitted to, and how far off its probabilities are where a
laboratory's own share is another."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from training import calibration
from training.calibration import PREVALENCE, Place
from training.shipped import CLASS_ANSWERS, EBHI_SEG, KATHER_2016

BEGIN = "<!-- prevalence: python -m training card -->"
END = "<!-- end of prevalence -->"
FITTED = (0.5, PREVALENCE, 0.3)
MET = (0.1, 0.3, 0.5, 0.7)  # shares of cancer that a calibration may meet
BINS = 10


def table() -> str:
    """ECE on the source left out, its tiles reweighted to each share of cancer."""
    every = calibration.places(CLASS_ANSWERS)
    sources = [[place for place in every if place.source == name] for name in
               (EBHI_SEG, KATHER_2016)]  # fmt: skip
    met = " | ".join(f"met: {share:.0%}" for share in MET)
    lines = [f"| fitted to | on | measured on | {met} | worst |", "|---" * (len(MET) + 4) + "|"]
    for fitted in FITTED:
        for known, unseen in (sources, sources[::-1]):
            found = [error(known, unseen, fitted, share) for share in MET]
            cells = " | ".join(f"{each:.3f}" for each in (*found, max(found)))
            name = f"{fitted:.0%}" + (" (ships)" if fitted == PREVALENCE else "")
            lines.append(f"| {name} | {title(known)} | {title(unseen)} | {cells} |")
    return "\n".join(lines)


def title(places: Sequence[Place]) -> str:
    return {EBHI_SEG: "EBHI-Seg", KATHER_2016: "Kather 2016"}[places[0].source]


def error(known: Sequence[Place], unseen: Sequence[Place], fitted: float, met: float) -> float:
    """ECE of a calibration fitted to one share of cancer, where it meets another."""
    scaling = calibration.platt(known, fitted)
    truth = np.concatenate([place.truth for place in unseen])
    found = scaling.probabilities(np.concatenate([place.margins for place in unseen]))
    weights = np.where(truth, met / truth.sum(), (1 - met) / (~truth).sum())
    return weighted_error(truth, found, weights)


def weighted_error(
    truth: NDArray[np.bool_], found: NDArray[np.float64], weights: NDArray[np.float64]
) -> float:
    """ECE over BINS bins of equal width, of tiles that weigh differently."""
    bins = np.minimum((found * BINS).astype(int), BINS - 1)
    gaps = np.bincount(bins, weights * (found - truth), BINS)
    return float(np.abs(gaps).sum() / weights.sum())
