"""What colour alone can do: a hue-saturation-value histogram and logistic regression.

Every tile is scored by a model fitted on other cases; under a shift, the model is the one fitted
on tiles as they are.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from healer.evaluation.folds import FOLDS, by_case

BINS = (12, 6, 6)

Colours = NDArray[np.float32]


def histogram(tile: NDArray[np.uint8]) -> Colours:
    """Square roots of the shares of 432 colours, for RGB bytes (height, width, 3)."""
    hsv = np.asarray(Image.fromarray(tile).convert("HSV")).reshape(-1, 3).astype(np.int64)
    hue, saturation, value = (hsv[:, axis] * count // 256 for axis, count in enumerate(BINS))
    code = (hue * BINS[1] + saturation) * BINS[2] + value
    counts = np.bincount(code, minlength=int(np.prod(BINS)))
    return np.sqrt(counts / len(hsv)).astype(np.float32)


class ColourModel:
    """One logistic regression a fold; raises ValueError where cases cannot be split."""

    def __init__(self, colours: Colours, truth: NDArray[np.bool_], cases: NDArray[np.str_]) -> None:
        self._folds = list(by_case(truth, cases, FOLDS))
        self._models = [_fitted(colours[known], truth[known]) for known, _ in self._folds]

    def margins(self, colours: Colours) -> NDArray[np.float64]:
        """Out-of-fold log-odds of the same tiles, whatever shift they are seen under."""
        out = np.empty(len(colours))
        for (_, unseen), model in zip(self._folds, self._models, strict=True):
            if len(unseen):
                out[unseen] = model.decision_function(colours[unseen])
        return out


def _fitted(colours: Colours, truth: NDArray[np.bool_]) -> Any:  # noqa: ANN401 - sklearn is untyped
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=5000))
    return model.fit(colours, truth)
