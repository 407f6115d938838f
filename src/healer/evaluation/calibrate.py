"""Fits what `healer.screening.calibration` applies: Platt's scaling and two operating points.

Beside it, for comparison: the margin as it comes, a temperature alone (Guo et al. 2017), and
batch calibration (Zhou et al. 2023), which takes the mean margin of unlabelled tiles off each.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

from healer.errors.evaluation import NotCalibratable
from healer.evaluation.metrics import by_case, calibration_error

TARGET = 0.95
LEAST_OF_EACH = 10

Truth = NDArray[np.bool_]
Reals = NDArray[np.float64]
Cases = NDArray[np.str_]


@dataclass(frozen=True, slots=True)
class Fit:
    """probability = sigmoid(slope · margin + intercept)."""

    slope: float
    intercept: float

    def probabilities(self, margins: Reals) -> Reals:
        return sigmoid(self.slope * margins + self.intercept)


@dataclass(frozen=True, slots=True)
class Points:
    """No at or below `lower`, yes from `upper`."""

    lower: float
    upper: float


@dataclass(frozen=True)
class Fitted:
    """`quality` by method and `verdicts` are measured on cases left out of the fit."""

    fit: Fit
    points: Points
    quality: dict[str, dict[str, float]]
    verdicts: dict[str, float]


def sigmoid(values: Reals) -> Reals:
    return np.asarray(np.exp(-np.logaddexp(0, -values)))


def fit_calibration(
    margins: Reals, truth: Truth, cases: Cases, elsewhere: Sequence[Reals] = ()
) -> Fitted:
    """`elsewhere` are margins of the same tiles under shifts: the two points hold there too.

    Raises NotCalibratable where tiles or cases are too few, or the margins do not rank.
    """
    for side, name in ((True, "yes"), (False, "no")):
        if (count := int((truth == side).sum())) < LEAST_OF_EACH:
            raise NotCalibratable(f"{count} tiles are {name}, and {LEAST_OF_EACH} are needed")
    fit = platt(margins, truth)
    everywhere = [margins, *elsewhere]
    quality, verdicts = crossfitted(margins, truth, cases, everywhere)
    points = points_everywhere([fit.probabilities(place) for place in everywhere], truth)
    return Fitted(fit, points, quality, verdicts)


def platt(margins: Reals, truth: Truth) -> Fit:
    """Platt 1999, with his smoothed targets: they keep the slope finite where classes part."""
    fit = _logistic(margins, truth, intercept=True)
    if not fit.slope > 0:
        raise NotCalibratable(
            f"the slope is {fit.slope:.3g}, so a higher margin does not mean cancer: here the "
            "model is no better than chance, or worse"
        )
    return fit


def temperature(margins: Reals, truth: Truth) -> Fit:
    return _logistic(margins, truth, intercept=False)


def _logistic(margins: Reals, truth: Truth, *, intercept: bool) -> Fit:
    """Each tile counts towards both answers, by its smoothed target."""
    yes, no = int(truth.sum()), int((~truth).sum())
    target = np.where(truth, (yes + 1) / (yes + 2), 1 / (no + 2))
    spread = float(np.std(margins)) or 1.0  # of order one, so that the solver stops where it should
    twice = np.concatenate([margins, margins])[:, None] / spread
    model = LogisticRegression(C=np.inf, fit_intercept=intercept, tol=1e-8, max_iter=1000)
    model.fit(
        twice,
        np.repeat([True, False], len(margins)),
        sample_weight=np.concatenate([target, 1 - target]),
    )
    return Fit(float(model.coef_[0, 0]) / spread, float(np.ravel(model.intercept_)[0]))


def points_everywhere(places: Sequence[Reals], truth: Truth) -> Points:
    """Points that keep both promises in every place, be it the hardest, for the same tiles."""
    each = [operating_points(probabilities, truth) for probabilities in places]
    return Points(min(at.lower for at in each), max(at.upper for at in each))


def operating_points(probabilities: Reals, truth: Truth, target: float = TARGET) -> Points:
    """`upper`: the smallest probability at which at most 5 % of no would be called yes.
    `lower`: the largest at which at most 5 % of yes would be called no.

    Where they cross, both targets hold anywhere between, and their midpoint is the one cut.
    """
    upper = _smallest_upper(probabilities, probabilities[~truth], target)
    lower = _largest_lower(probabilities, probabilities[truth], target)
    if lower >= upper:
        return Points((lower + upper) / 2, (lower + upper) / 2)
    return Points(lower, upper)


def _smallest_upper(probabilities: Reals, no: Reals, target: float) -> float:
    """The least of `probabilities` that at most 1 − target of `no` reach."""
    bar = float(np.sort(no)[::-1][_allowed(no, target)])
    above = probabilities[probabilities > bar]
    return float(above.min()) if len(above) else min(1.0, float(np.nextafter(bar, 2.0)))


def _largest_lower(probabilities: Reals, yes: Reals, target: float) -> float:
    """The most of `probabilities` that at least `target` of `yes` lie above."""
    bar = float(np.sort(yes)[_allowed(yes, target)])
    below = probabilities[probabilities < bar]
    return float(below.max()) if len(below) else max(0.0, float(np.nextafter(bar, -1.0)))


def _allowed(side: Reals, target: float) -> int:
    """How many of a side may fall on the wrong side of its cut."""
    return len(side) - math.ceil(target * len(side) - 1e-9)


def crossfitted(
    margins: Reals, truth: Truth, cases: Cases, everywhere: Sequence[Reals]
) -> tuple[dict[str, dict[str, float]], dict[str, float]]:
    """Each method fitted on some cases and measured on the others, the points likewise."""
    methods: dict[str, Callable[[Reals, Truth, Reals], Reals]] = {
        "as it comes": lambda _known, _truth, unseen: sigmoid(unseen),
        "temperature": lambda known, true, unseen: temperature(known, true).probabilities(unseen),
        "batch": lambda _known, _truth, unseen: sigmoid(unseen - unseen.mean()),
        "platt": lambda known, true, unseen: platt(known, true).probabilities(unseen),
    }
    probabilities = {name: np.empty(len(margins)) for name in methods}
    answers = np.zeros(len(margins), np.int64)
    try:
        folds = list(by_case(truth, cases))
    except ValueError as error:
        raise NotCalibratable(str(error)) from None
    for known, unseen in folds:
        for name, method in methods.items():
            probabilities[name][unseen] = method(margins[known], truth[known], margins[unseen])
        fit = platt(margins[known], truth[known])
        seen = [fit.probabilities(place[known]) for place in everywhere]
        points = points_everywhere(seen, truth[known])
        answers[unseen] = _answered(probabilities["platt"][unseen], points)
    quality = {name: quality_of(truth, values) for name, values in probabilities.items()}
    return quality, verdicts_of(truth, answers) | {"auroc": float(roc_auc_score(truth, margins))}


def _answered(probabilities: Reals, points: Points) -> NDArray[np.int64]:
    """1 yes, −1 no, 0 indeterminate: the rule of `healer.screening.verdict`."""
    between = (probabilities > points.lower) & (probabilities < points.upper)
    decided = np.where(probabilities >= points.upper, 1, -1)
    return np.where(between, 0, decided)


def quality_of(truth: Truth, probabilities: Reals) -> dict[str, float]:
    return {
        "brier": float(brier_score_loss(truth, probabilities)),
        "ece": calibration_error(truth, probabilities),
        "log_loss": float(log_loss(truth, probabilities)),
    }


def verdicts_of(truth: Truth, answers: NDArray[np.int64]) -> dict[str, float]:
    """Wrong answers as shares of all yes and all no, and what is right among answers given."""
    decided = answers != 0
    out = {
        "yes_called_no": float(np.mean(answers[truth] == -1)),
        "no_called_yes": float(np.mean(answers[~truth] == 1)),
        "indeterminate": float(np.mean(~decided)),
    }
    yes, no = truth & decided, ~truth & decided
    if yes.any() and no.any():
        right = float(np.mean(answers[yes] == 1)), float(np.mean(answers[no] == -1))
        out["balanced_accuracy"] = sum(right) / 2
    return out
