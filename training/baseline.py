"""What colour alone can do: a hue-saturation-value histogram and logistic regression."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from healer.evaluation.assess import colour_histogram
from healer.evaluation.shifts import NONE, SHIFTS, TITLES
from training.crossval import members, rows_of
from training.data import LABELS, Tiles


def histograms(tiles: Tiles, shift: str) -> NDArray[np.float64]:
    tiles_shown = track(tiles.pixels, f"Colours, {TITLES[shift]}")
    # Double precision: in single, the least likely of six classes comes out as impossible.
    return np.stack([colour_histogram(SHIFTS[shift](tile)) for tile in tiles_shown]).astype(
        np.float64
    )


def out_of_fold(tiles: Tiles) -> dict[str, NDArray[np.float32]]:
    """Title of a shift → log-probabilities (n, 6), on the first repeat's folds."""
    colours = {shift: histograms(tiles, shift) for shift in SHIFTS}
    out = {TITLES[shift]: np.zeros((len(tiles), len(LABELS)), np.float32) for shift in SHIFTS}
    for member in members(1):
        known, unseen = rows_of(tiles, member)
        model = make_pipeline(
            StandardScaler(), LogisticRegression(C=0.1, max_iter=2000, class_weight="balanced")
        )
        model.fit(colours[NONE][known], tiles.labels[known])
        for shift, features in colours.items():
            out[TITLES[shift]][unseen] = model.predict_log_proba(features[unseen])
    return out
