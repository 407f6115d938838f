"""From answers to all that a report shows: one record that JSON can hold."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from healer import NOTICE, __version__
from healer.display import examples
from healer.engines.registry import ENGINES
from healer.evaluation import metrics
from healer.evaluation.datasets import Dataset
from healer.evaluation.metrics import SEED, Figure, Scored
from healer.evaluation.predictions import Row
from healer.evaluation.shifts import NONE
from healer.files.disk import atomic_write
from healer.screening.calibration import Calibration
from healer.screening.verdict import CUT

NAME = "results.json"
FORMAT = 1
CURVE_POINTS = 500
LOUD = "TRAINING TILES"


@dataclass
class Results:
    """`figures` and `baseline` by shift; `scored` are the tiles behind them, unshifted."""

    dataset: dict[str, Any]
    engine: dict[str, Any]
    calibration: dict[str, Any] | None
    figures: dict[str, dict[str, Figure]]
    baseline: dict[str, dict[str, Figure]]
    against_each_class: dict[str, Figure]
    confusion: dict[str, dict[str, int]]
    refusals: dict[str, int]
    seconds_per_tile: dict[str, float] | None
    resamples: int
    notes: list[str]
    scored: Scored = field(repr=False)

    @property
    def cut(self) -> float:
        """Where yes and no would part if every tile had to be answered."""
        held = self.calibration
        return (held["lower"] + held["upper"]) / 2 if held else CUT

    def as_json(self) -> dict[str, Any]:
        return {
            "format": FORMAT,
            "healer": __version__,
            "notice": NOTICE,
            "dataset": self.dataset,
            "engine": self.engine,
            "calibration": self.calibration,
            "bootstrap": {"resamples": self.resamples, "seed": SEED, "unit": "case"},
            "figures": {name: metrics.as_json(each) for name, each in self.figures.items()},
            "baseline": {name: metrics.as_json(each) for name, each in self.baseline.items()},
            "against_each_class": metrics.as_json(self.against_each_class),
            "confusion": self.confusion,
            "refusals": self.refusals,
            "seconds_per_tile": self.seconds_per_tile,
            "curves": curves(self.scored, self.cut),
            "notes": self.notes,
        }

    def write(self, folder: Path) -> None:
        """In one step: a folder that holds it is a finished run."""
        text = json.dumps(self.as_json(), indent=1, ensure_ascii=False, allow_nan=False)
        with atomic_write(folder / NAME) as stream:
            stream.write(f"{text}\n".encode())


def scored_of(
    rows: Sequence[Row], calibration: Calibration | None, margins: NDArray[np.float64] | None = None
) -> Scored:
    """The answered among rows; `margins` in place of the rows' own (a baseline's)."""
    values = [row.margin for row in rows] if margins is None else margins.tolist()
    pairs = [(row, value) for row, value in zip(rows, values, strict=True) if value is not None]
    verdicts = [replace(row, margin=value).verdict(calibration) for row, value in pairs]
    return Scored(
        truth=np.array([row.positive for row, _ in pairs], bool),
        margins=np.array([value for _, value in pairs], float),
        probabilities=np.array([v.probability for v in verdicts if v], float),
        answers=np.array([str(v.answer) for v in verdicts if v], np.str_),
        labels=np.array([row.label for row, _ in pairs], np.str_),
        cases=np.array([row.case_id for row, _ in pairs], np.str_),
    )


def shifts_in(rows: Sequence[Row]) -> list[str]:
    return list(dict.fromkeys(row.shift for row in rows))


def under(rows: Sequence[Row], shift: str) -> list[Row]:
    return [row for row in rows if row.shift == shift]


def described(dataset: Dataset, rows: Sequence[Row]) -> dict[str, Any]:
    known = dataset.known
    answers = {item.label: item.positive for item in dataset.items}
    counts = Counter(item.label for item in dataset.items)
    return {
        "name": dataset.name,
        "known_as": known.name if known else None,
        "title": known.title if known else None,
        "licence": known.licence if known else None,
        "page": known.page if known else None,
        "tiles": len(dataset.items),
        "positives": sum(item.positive for item in dataset.items),
        "cases": len({item.case_id for item in dataset.items}),
        "cases_known": dataset.has_cases,
        "answered": sum(row.margin is not None for row in under(rows, NONE)),
        "fingerprint": dataset.fingerprint,
        "classes": {
            label: {"tiles": counts[label], "means": "yes" if answers[label] else "no"}
            for label in sorted(counts)
        },
        "left_out": dataset.left_out,
        "files_left_out": dataset.files_left_out.as_json(),
        "missing": len(dataset.absent),
    }


def notes_on(dataset: Dataset, rows: Sequence[Row], info: dict[str, Any]) -> list[str]:
    """What a reader must know before believing a figure."""
    notes = []
    if _trained_on(dataset, info):
        notes.append(
            f"{LOUD}: the built-in model was trained on EBHI-Seg. These figures say how "
            "well it remembers, not how well it works. Use out-of-fold answers (--answers), or "
            "tiles of cases it never saw."
        )
    if "answers_file" in info:
        notes.append(
            f"The answers were made elsewhere and read from {info['answers_file']}: that its maker "
            "kept the engine from these very tiles is taken on trust."
        )
    if not dataset.has_cases:
        notes.append(
            "No case of some tiles is given, so each of those is taken as its own case. Tiles of "
            "one patient look alike: the intervals are too narrow."
        )
    if dataset.known and dataset.known.note:
        notes.append(dataset.known.note)
    if left := len(dataset.items) - len(under(rows, NONE)):
        notes.append(f"{left} of the dataset's {len(dataset.items)} tiles have no answer here.")
    if wide := sum(bool(row.warnings) for row in under(rows, NONE)):
        notes.append(
            f"Of the tiles, {wide} show a wider field than the engine was trained for (`warnings` "
            "in answers.csv): its calibration was not fitted on such."
        )
    if dataset.left_out:
        parts = ", ".join(f"{label} ({count})" for label, count in dataset.left_out.items())
        notes.append(f"Left out: {parts}.")
    return [*notes, *notes_on_files(dataset, rows)]


def notes_on_files(dataset: Dataset, rows: Sequence[Row]) -> list[str]:
    """What was left out, is missing, or could not be read."""
    notes = []
    if dataset.files_left_out:
        notes.append(str(dataset.files_left_out))
    if absent := dataset.absent:
        notes.append(
            f"{len(absent):,} of {len(dataset.items):,} listed paths name no file there "
            f"({examples(absent)})."
        )
    refusals = Counter(row.refusal for row in under(rows, NONE) if row.refusal)
    if refusals:
        codes = ", ".join(f"{count:,} {code}" for code, count in refusals.most_common())
        notes.append(
            f"{refusals.total():,} of {len(under(rows, NONE)):,} tiles have no margin and take no "
            f"part in the figures: {codes}."
        )
    answered = {row.path for row in under(rows, NONE) if row.margin is not None}
    lost = Counter(row.refusal for row in rows if row.refusal and row.path in answered)
    if lost:
        codes = ", ".join(f"{count:,} {code}" for code, count in lost.most_common())
        notes.append(f"Under shifts, {lost.total():,} answers are missing as well: {codes}.")
    return notes


def _trained_on(dataset: Dataset, info: dict[str, Any]) -> bool:
    known, spec = dataset.known, ENGINES.get(str(info.get("engine")))
    return bool(known and spec and known.name in spec.trained_on) and "answers_file" not in info


def seconds_of(rows: Sequence[Row]) -> dict[str, float] | None:
    """Of the engine alone, by tile: decoding is not in it."""
    seconds = [row.seconds for row in rows if row.seconds is not None]
    if not seconds:
        return None
    return {"median": statistics.median(seconds), "mean": statistics.fmean(seconds)}


def confusion_of(rows: Sequence[Row], calibration: Calibration | None) -> dict[str, dict[str, int]]:
    verdicts = [row.verdict(calibration) for row in rows]
    answers = [str(verdict.answer) if verdict else "refused" for verdict in verdicts]
    return metrics.confusion([row.label for row in rows], answers)


def curves(scored: Scored, cut: float) -> dict[str, Any]:
    """ROC, reliability and risk-coverage, thinned to what a plot can show."""
    if not len(scored):
        return {}
    coverage, risk = metrics.risk_coverage(scored.truth, scored.probabilities, cut)
    bins = metrics.reliability(scored.truth, scored.probabilities)
    out: dict[str, Any] = {
        "reliability": [[round(part, 6) for part in each] for each in bins],
        "risk_coverage": _thinned(coverage, risk),
    }
    if not scored.truth.all() and scored.truth.any():
        from sklearn.metrics import roc_curve

        false_positive, true_positive, _ = roc_curve(scored.truth, scored.margins)
        out["roc"] = _thinned(false_positive, true_positive)
    return out


def _thinned(x: NDArray[np.float64], y: NDArray[np.float64]) -> list[list[float]]:
    rows = np.unique(np.linspace(0, len(x) - 1, min(len(x), CURVE_POINTS)).round().astype(int))
    return [[round(float(x[row]), 6), round(float(y[row]), 6)] for row in rows]
