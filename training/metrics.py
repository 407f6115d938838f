"""What is measured: areas under the ROC curve with 95 % intervals that resample cases."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import balanced_accuracy_score, roc_auc_score, roc_curve

from healer.engines.builtin.engine import class_margin
from healer.questions.colorectal import COLORECTAL_CANCER
from training.data import CANCER_INDEX, CLASSES, LABELS

RESAMPLES = 1000
BENIGN = ("normal", "polyp")
VERSUS_BENIGN = "adenocarcinoma against normal and polyp"
VERSUS_ALL = "adenocarcinoma against all other classes"

Scores = NDArray[np.float32]
Labels = NDArray[np.int64]
Cases = NDArray[np.str_]


def margin(scores: Scores, column: int) -> Scores:
    """Log-odds of one class against every other output, from log-probabilities (n, outputs).

    For cancer it is the margin that is served.
    """
    head = COLORECTAL_CANCER.head
    if column == CANCER_INDEX and head is not None:
        shares = head.shares_of(tuple(CLASSES.values()))
        shares += [0.0] * (scores.shape[-1] - len(shares))
        return np.asarray(class_margin(scores, shares), np.float32)
    rest = np.logaddexp.reduce(np.delete(scores, column, axis=1), axis=1)
    return np.asarray(scores[:, column] - rest, np.float32)


def tasks(labels: Labels) -> dict[str, tuple[int, NDArray[np.bool_]]]:
    """Name → (positive class, tiles that take part)."""
    everything = np.ones(len(labels), bool)
    benign = np.isin(labels, [CANCER_INDEX, *(LABELS.index(name) for name in BENIGN)])
    rest = {
        f"{name} against all other classes": (at, everything)
        for at, name in enumerate(CLASSES.values())
    }
    return {VERSUS_BENIGN: (CANCER_INDEX, benign), **rest}


def weighted_areas(
    truth: NDArray[np.bool_], score: Scores, weights: NDArray[np.int64]
) -> NDArray[np.float64]:
    """AUROC under each row of weights (resamples, n); scikit-learn's, for all rows in one sort."""
    order = np.argsort(score, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(score[order]) > 0])
    positive = np.add.reduceat((weights * truth)[:, order], starts, axis=1)
    negative = np.add.reduceat((weights * ~truth)[:, order], starts, axis=1)
    below = np.cumsum(negative, axis=1) - negative / 2
    pairs = positive.sum(1) * negative.sum(1)
    return np.asarray((positive * below).sum(1)[pairs > 0] / pairs[pairs > 0])


def interval(truth: NDArray[np.bool_], score: Scores, cases: Cases) -> tuple[float, float]:
    """2.5th and 97.5th percentile of the AUROC over resampled cases."""
    rng = np.random.default_rng(0)
    _, where = np.unique(cases, return_inverse=True)
    count = int(where.max()) + 1
    times = rng.multinomial(count, np.full(count, 1 / count), size=RESAMPLES)
    low, high = np.percentile(weighted_areas(truth, score, times[:, where]), [2.5, 97.5])
    return float(low), float(high)


def measure(scores: Scores, labels: Labels, cases: Cases) -> dict[str, dict[str, float]]:
    """Every task's AUROC with its interval, and counts."""
    out = {}
    for name, (column, part) in tasks(labels).items():
        truth, score = labels[part] == column, margin(scores, column)[part]
        if truth.all() or not truth.any():
            continue
        low, high = interval(truth, score, cases[part])
        out[name] = {
            "auroc": round(float(roc_auc_score(truth, score)), 4),
            "low": round(low, 4),
            "high": round(high, 4),
            "tiles": int(part.sum()),
            "positive": int(truth.sum()),
            "cases": len(np.unique(cases[part])),
        }
    return out


def at_threshold(scores: Scores, labels: Labels) -> dict[str, float]:
    """Cancer against all other classes, cut at even odds and at 95 % specificity."""
    truth, score = labels == CANCER_INDEX, margin(scores, CANCER_INDEX)
    false_positive, true_positive, _ = roc_curve(truth, score)
    return {
        "balanced_accuracy_at_even_odds": round(
            float(balanced_accuracy_score(truth, score > 0)), 4
        ),
        "sensitivity_at_95_specificity": round(
            float(true_positive[false_positive <= 0.05].max()), 4
        ),
    }
