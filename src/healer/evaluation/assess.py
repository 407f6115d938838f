"""Figures of one evaluation, and of a baseline that sees colour alone.

The baseline is logistic regression on a hue-saturation-value histogram. Every tile is scored by a
model fitted on other cases; under a shift, by the one fitted on unshifted tiles.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from healer.errors.base import HealerError
from healer.evaluation import metrics
from healer.evaluation.datasets import Dataset, Limits
from healer.evaluation.metrics import FOLDS, Scored, by_case
from healer.evaluation.predictions import Row
from healer.evaluation.results import (
    Results,
    confusion_of,
    described,
    notes_on,
    scored_of,
    seconds_of,
    shifts_in,
    under,
)
from healer.evaluation.shifts import NONE, SHIFTS
from healer.screening.calibration import Calibration

BINS = (12, 6, 6)

Colours = NDArray[np.float32]
Advance = Callable[[int], None]


def colour_histogram(tile: NDArray[np.uint8]) -> Colours:
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


@dataclass(frozen=True)
class Baseline:
    """The colour model's scores by shift; `missing` says why there is none."""

    scored: dict[str, Scored]
    missing: str | None = None


def assess(
    dataset: Dataset,
    rows: Sequence[Row],
    engine: dict[str, Any],
    calibration: Calibration | None,
    baseline: Baseline,
    resamples: int,
    advance: Advance,
) -> Results:
    """`advance` gets 1 for every set of figures, two a shift."""
    unshifted = scored_of(under(rows, NONE), calibration)
    figures, colour = {}, {}
    for shift in shifts_in(rows):
        figures[shift] = metrics.measure(scored_of(under(rows, shift), calibration), resamples)
        advance(1)
        if shift in baseline.scored:
            colour[shift] = metrics.measure(baseline.scored[shift], resamples, verdicts=False)
        advance(1)
    notes = notes_on(dataset, rows, engine)
    return Results(
        dataset=described(dataset, rows),
        engine=engine,
        calibration=_calibration_json(calibration),
        figures=figures,
        baseline=colour,
        against_each_class=metrics.against_each_class(unshifted, resamples),
        confusion=confusion_of(under(rows, NONE), calibration),
        refusals=dict(Counter(row.refusal for row in under(rows, NONE) if row.refusal)),
        seconds_per_tile=seconds_of(rows),
        resamples=resamples,
        notes=[*notes, *([f"No colour baseline: {baseline.missing}."] if baseline.missing else [])],
        scored=unshifted,
    )


def _calibration_json(calibration: Calibration | None) -> dict[str, Any] | None:
    if calibration is None:
        return None
    return {"id": calibration.id, **calibration.model_dump(exclude={"format", "figures"})}


def colour_baseline(
    dataset: Dataset, rows: Sequence[Row], limits: Limits, advance: Advance
) -> Baseline:
    """Out-of-fold colour margins of every answered tile; `advance` gets 1 a tile and shift."""
    unshifted = [row for row in under(rows, NONE) if row.margin is not None]
    try:
        colours = _colours(dataset, unshifted, NONE, limits, advance)
        model = ColourModel(
            colours, _truth(unshifted), np.array([row.case_id for row in unshifted], np.str_)
        )
        scored = {NONE: scored_of(unshifted, None, model.margins(colours))}
        for shift in shifts_in(rows)[1:]:
            margins = model.margins(_colours(dataset, unshifted, shift, limits, advance))
            by_path = dict(zip((row.path for row in unshifted), margins, strict=True))
            seen = [row for row in under(rows, shift) if row.path in by_path]
            scored[shift] = scored_of(seen, None, np.array([by_path[row.path] for row in seen]))
    except ValueError as why:
        return Baseline({}, str(why))
    except HealerError as why:
        return Baseline({}, f"a tile cannot be read ({why.code})")
    return Baseline(scored)


def _truth(rows: Sequence[Row]) -> NDArray[np.bool_]:
    return np.array([row.positive for row in rows], bool)


def _colours(
    dataset: Dataset, rows: Sequence[Row], shift: str, limits: Limits, advance: Advance
) -> NDArray[np.float32]:
    out = np.empty((len(rows), 0), np.float32)
    for at, row in enumerate(rows):
        colours = colour_histogram(SHIFTS[shift](dataset.source.tile(row.path, limits).pixels))
        if not at:
            out = np.empty((len(rows), len(colours)), np.float32)
        out[at] = colours
        advance(1)
    return out
