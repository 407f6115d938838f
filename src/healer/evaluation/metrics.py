"""Metrics with intervals that respect cases: tiles of one patient are drawn together or not at all.

The metrics are scikit-learn's; ECE and risk-coverage, which it lacks, are our own.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import config_context, metrics
from sklearn.model_selection import StratifiedGroupKFold

from healer.engines.base import Answer

Rows = NDArray[np.int64]
Values = Mapping[str, float]

RESAMPLES = 1000
SEED = 0
LEVEL = (2.5, 97.5)
LEAST_DEFINED = 0.5
Truth = NDArray[np.bool_]
Reals = NDArray[np.float64]

BINS = 10
TARGET = 0.95
TITLES = {
    "auroc": "AUROC",
    "average_precision": "average precision",
    "balanced_accuracy": "balanced accuracy, among answers given",
    "sensitivity_at_95_specificity": "sensitivity at 95 % specificity",
    "specificity_at_95_sensitivity": "specificity at 95 % sensitivity",
    "brier": "Brier score",
    "ece": f"ECE, {BINS} bins of equal mass",
    "indeterminate": "indeterminate",
}


@dataclass(frozen=True, slots=True)
class Figure:
    """A value with its 95 % interval; `reason` says why a value or an interval is missing."""

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str | None = None


@dataclass(frozen=True)
class Scored:
    """Tiles that were answered, all arrays of one length.

    `margins` rank them, `probabilities` and `answers` are what a user sees.
    """

    truth: Truth
    margins: Reals
    probabilities: Reals
    answers: NDArray[np.str_]
    labels: NDArray[np.str_]
    cases: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.truth)

    def take(self, rows: Rows | Truth) -> Scored:
        return Scored(**{name: values[rows] for name, values in vars(self).items()})


def measure(
    scored: Scored, resamples: int = RESAMPLES, seed: int = SEED, *, verdicts: bool = True
) -> dict[str, Figure]:
    """Every figure with its interval over resampled cases; `verdicts`: whether any were made."""
    with config_context(assume_finite=True, skip_parameter_validation=True):
        values = measured(scored)
        spans = intervals(
            lambda rows: measured(scored.take(rows)), scored.cases.tolist(), resamples, seed
        )
    figures = {name: _figure(name, value, spans, scored) for name, value in values.items()}
    return figures if verdicts else {n: f for n, f in figures.items() if n != "indeterminate"}


def measured(scored: Scored) -> Values:
    """The bare values; NaN where a value is not defined."""
    if not len(scored):
        return dict.fromkeys(TITLES, math.nan)
    out = dict.fromkeys(TITLES, math.nan) | ranked(scored.truth, scored.margins)
    out["balanced_accuracy"] = balanced_accuracy(scored)
    out["brier"] = float(metrics.brier_score_loss(scored.truth, scored.probabilities))
    out["ece"] = calibration_error(scored.truth, scored.probabilities)
    out["indeterminate"] = float(np.mean(scored.answers == Answer.INDETERMINATE))
    return out


def ranked(truth: Truth, margins: Reals) -> dict[str, float]:
    """What depends on the order alone; nothing where there is only one class."""
    if truth.all() or not truth.any():
        return {}
    false_positive, true_positive, _ = metrics.roc_curve(truth, margins, drop_intermediate=False)
    return {
        "auroc": float(metrics.auc(false_positive, true_positive)),
        "average_precision": float(metrics.average_precision_score(truth, margins)),
        "sensitivity_at_95_specificity": _best(true_positive, 1 - false_positive),
        "specificity_at_95_sensitivity": _best(1 - false_positive, true_positive),
    }


def _best(raised: Reals, held: Reals) -> float:
    """The most of one rate that still keeps the other at the target."""
    return float(raised[held >= TARGET - 1e-12].max())


def balanced_accuracy(scored: Scored) -> float:
    """At the verdict, among answers given; NaN where they hold only one class."""
    decided = scored.answers != Answer.INDETERMINATE
    truth, predicted = scored.truth[decided], scored.answers[decided] == Answer.YES
    if not truth.any() or truth.all():
        return math.nan
    return float(metrics.balanced_accuracy_score(truth, predicted))


def bins_of(probabilities: Reals, bins: int = BINS) -> NDArray[np.int64]:
    """Bins of equal mass; equal probabilities share one, so that order cannot matter."""
    _, where, counts = np.unique(probabilities, return_inverse=True, return_counts=True)
    middle = np.cumsum(counts) - counts / 2
    return np.asarray((middle[where] / len(probabilities) * bins).astype(np.int64))


def reliability(truth: Truth, probabilities: Reals, bins: int = BINS) -> list[tuple[float, ...]]:
    """(mean probability, share of yes, tiles) of each bin that holds any."""
    where = bins_of(probabilities, bins)
    groups = ((where == each) for each in np.unique(where))
    return [
        (float(probabilities[group].mean()), float(truth[group].mean()), int(group.sum()))
        for group in groups
    ]


def calibration_error(truth: Truth, probabilities: Reals, bins: int = BINS) -> float:
    """Expected calibration error (Naeini et al. 2015) over bins of equal mass."""
    parts = reliability(truth, probabilities, bins)
    return sum(count * abs(predicted - seen) for predicted, seen, count in parts) / len(truth)


def risk_coverage(truth: Truth, probabilities: Reals, cut: float) -> tuple[Reals, Reals]:
    """(coverage, share of errors) as the least sure answers are withheld, surest first."""
    predicted = probabilities >= cut
    room = np.where(predicted, 1 - cut, cut)
    sureness = np.abs(probabilities - cut) / np.maximum(room, 1e-12)
    order = np.argsort(-sureness, kind="stable")
    errors = np.cumsum((predicted != truth)[order])
    answered = np.arange(1, len(truth) + 1)
    last = np.append(np.diff(sureness[order]) != 0, True)  # the equally sure go together
    return answered[last] / len(truth), errors[last] / answered[last]


def against_each_class(
    scored: Scored, resamples: int = RESAMPLES, seed: int = SEED
) -> dict[str, Figure]:
    """AUROC of every positive tile against each negative class."""
    out = {}
    for label in sorted(set(scored.labels[~scored.truth].tolist())):
        part = scored.take(scored.truth | (scored.labels == label))
        out[label] = _area(part, resamples, seed)
    return out


def _area(part: Scored, resamples: int, seed: int) -> Figure:
    def area(chosen: Scored) -> Values:
        one = chosen.truth.all() or not chosen.truth.any()
        value = math.nan if one else float(metrics.roc_auc_score(chosen.truth, chosen.margins))
        return {"auroc": value}

    with config_context(assume_finite=True, skip_parameter_validation=True):
        spans = intervals(lambda rows: area(part.take(rows)), part.cases.tolist(), resamples, seed)
        return _figure("auroc", area(part)["auroc"], spans, part)


def confusion(labels: Sequence[str], answers: Sequence[str]) -> dict[str, dict[str, int]]:
    """Original class → how often each answer was given; `refused` where there was none."""
    kinds = (*(str(answer) for answer in Answer), "refused")
    out = {label: dict.fromkeys(kinds, 0) for label in sorted(set(labels))}
    for label, answer in zip(labels, answers, strict=True):
        out[label][answer] += 1
    return out


def _figure(
    name: str, value: float, spans: dict[str, tuple[float, float]], scored: Scored
) -> Figure:
    if not math.isfinite(value):
        return Figure(None, reason=_why_undefined(name, scored))
    if name not in spans:
        return Figure(value, reason=_why_no_interval(scored))
    low, high = spans[name]
    return Figure(value, low, high)


def _why_undefined(name: str, scored: Scored) -> str:
    if not len(scored):
        return "no tile was answered"
    if scored.truth.all() or not scored.truth.any():
        return f"every tile is {'yes' if scored.truth.all() else 'no'}"
    return f"the answers given hold only one class, which leaves no {TITLES[name].split(',')[0]}"


def _why_no_interval(scored: Scored) -> str:
    cases = len(set(scored.cases.tolist()))
    return "one case only" if cases == 1 else "too few cases to resample, or resampling is off"


def as_json(figures: dict[str, Figure]) -> dict[str, dict[str, Any]]:
    return {name: {k: _rounded(v) for k, v in asdict(f).items()} for name, f in figures.items()}


def _rounded(value: float | str | None) -> float | str | None:
    return round(value, 6) if isinstance(value, float) else value


def resampled(cases: Sequence[str], count: int, seed: int = SEED) -> Iterator[Rows]:
    """`count` draws of as many cases as there are, with replacement, as row numbers."""
    _, owner = np.unique(np.asarray(cases, dtype=np.str_), return_inverse=True)
    by_case = np.argsort(owner, kind="stable")
    sizes = np.bincount(owner)
    starts = np.cumsum(sizes) - sizes
    rng = np.random.default_rng(seed)
    for _ in range(count):
        drawn = rng.integers(0, len(sizes), len(sizes))
        lengths = sizes[drawn]
        shift = np.repeat(starts[drawn] - (np.cumsum(lengths) - lengths), lengths)
        yield by_case[shift + np.arange(lengths.sum())]


def intervals(
    measure: Callable[[Rows], Values], cases: Sequence[str], count: int, seed: int = SEED
) -> dict[str, tuple[float, float]]:
    """95 % percentile interval of each value; absent where too few draws define it."""
    if count < 2 or len(set(cases)) < 2:
        return {}
    drawn = [measure(rows) for rows in resampled(cases, count, seed)]
    out = {}
    for name in drawn[0]:
        values = np.array([values[name] for values in drawn])
        defined = values[np.isfinite(values)]
        if len(defined) >= LEAST_DEFINED * count:
            low, high = np.percentile(defined, LEVEL)
            out[name] = (float(low), float(high))
    return out


FOLDS = 5
LEAST = 2


def by_case(
    truth: NDArray[np.bool_], cases: NDArray[np.str_], most: int = FOLDS, seed: int = 0
) -> Iterator[tuple[Rows, Rows]]:
    """(known rows, unseen rows), classes spread evenly; fewer folds where cases are few.

    Raises ValueError where a part would hold one class only.
    """
    count = min(most, *(len(set(cases[truth == side].tolist())) for side in (True, False)))
    if count < LEAST:
        raise ValueError("each answer needs at least two cases")
    split = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    for known, unseen in split.split(np.zeros(len(truth)), truth, cases):
        if truth[known].all() or not truth[known].any():
            raise ValueError("a part of the cases holds one answer only")
        yield known, unseen
