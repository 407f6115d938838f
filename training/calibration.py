"""The calibration that ships: fitted over laboratories, real and simulated, and checked by leaving
each source out.

Platt's scaling and two cuts, as `healer calibrate` fits them to one dataset. Here EBHI-Seg and
Kather 2016 count for equally much, each as it is, under every fixed shift and in two random
laboratories a tile; the cuts keep their promises in each of these places.
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from rich.progress import track
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score

from healer.cli.calibrate_run import save_reference, write_record
from healer.engines.builtin.engine import BuiltinEngine, class_margin
from healer.evaluation.calibrate import Fit, Points, operating_points
from healer.evaluation.metrics import calibration_error
from healer.evaluation.shifts import NONE
from healer.images.tile import Tile
from healer.quality.gate import Gate
from healer.questions.colorectal import HIGH_GRADE_SHARE
from healer.screening.calibration import (
    GATE_FIGURES,
    Binding,
    Calibration,
    Fitted,
    Reference,
    reference_beside,
)
from training.kather import COMPLEX
from training.shipped import CLASS_ANSWERS, COLUMNS, EBHI_SEG, KATHER_2016

CANCERS = frozenset({"adenocarcinoma", "tumor"})
SOURCES = (EBHI_SEG, KATHER_2016)
LEAST_SHARE = 2e-5  # what the file of class probabilities rounds to nothing
TARGET = 0.95  # sensitivity and specificity that the cuts keep
# The share of cancer that probabilities are fitted to: of the tenths, the one whose worst error is
# least where the share met is anywhere from 10 % to 70 % (training/prevalence.py).
PREVALENCE = 0.4


@dataclass(frozen=True)
class Place:
    """Margins of one source's tiles, changed in one way."""

    source: str
    change: str
    margins: NDArray[np.float64]
    truth: NDArray[np.bool_]
    labels: NDArray[np.str_]
    cases: NDArray[np.str_]
    paths: Sequence[str]


def places(file: Path = CLASS_ANSWERS, share: float = HIGH_GRADE_SHARE) -> list[Place]:
    """Out of fold, with that share of high-grade neoplasia for cancer; tiles that are neither yes
    nor no take no part."""
    rows: Mapping[tuple[str, str], list[Mapping[str, str]]] = defaultdict(list)
    with file.open(newline="", encoding="utf-8") as out:
        for row in csv.DictReader(out):
            if row["label"] != COMPLEX:
                rows[row["source"], row["shift"]].append(row)
    return [_place(*key, held, share) for key, held in rows.items()]


def _place(source: str, change: str, rows: Sequence[Mapping[str, str]], share: float) -> Place:
    counted = [1.0, share, *[0.0] * (len(COLUMNS) - 2)]
    shares = np.array([[float(row[name]) for name in COLUMNS] for row in rows])
    labels = np.array([row["label"] for row in rows])
    return Place(
        source,
        change,
        class_margin(np.log(shares.clip(LEAST_SHARE)), counted),
        np.isin(labels, list(CANCERS)),
        labels,
        np.array([row["case_id"] for row in rows]),
        [row["path"] for row in rows],
    )


def fit(known: Sequence[Place]) -> tuple[Fit, Points]:
    """Every source weighs the same, and of each its cancers weigh PREVALENCE of that; the cuts are
    the most careful of any source's."""
    scaling = platt(known)
    each = [
        operating_points(scaling.probabilities(margins), truth, TARGET)
        for margins, truth in pooled_by_source(known)
    ]
    lower, upper = min(at.lower for at in each), max(at.upper for at in each)
    return scaling, Points(min(lower, upper), max(lower, upper))


def pooled_by_source(
    known: Sequence[Place],
) -> list[tuple[NDArray[np.float64], NDArray[np.bool_]]]:
    """EBHI-Seg change by change; Kather 2016, of few tumours, all changes together."""
    found = [(place.margins, place.truth) for place in known if place.source == EBHI_SEG]
    away = [place for place in known if place.source == KATHER_2016]
    if away:
        found.append(
            (
                np.concatenate([place.margins for place in away]),
                np.concatenate([place.truth for place in away]),
            )
        )
    return found


def platt(known: Sequence[Place], prevalence: float = PREVALENCE) -> Fit:
    margins = np.concatenate([place.margins for place in known])
    truth = np.concatenate([place.truth for place in known])
    source = np.concatenate([[place.source] * len(place.truth) for place in known])
    weights = np.empty(len(truth))
    for name in np.unique(source):
        for side in (True, False):
            rows = (source == name) & (truth == side)
            weights[rows] = (prevalence if side else 1 - prevalence) / rows.sum()
    model = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000)
    model.fit(margins[:, None], truth, sample_weight=weights / weights.mean())
    return Fit(float(model.coef_[0, 0]), float(model.intercept_[0]))


def write(place: Path, folders: Sequence[Path], file: Path = CLASS_ANSWERS) -> Calibration:
    """The calibration of the network that ships, and beside it the figures of its tiles that
    drift is measured against."""
    every = places(file)
    plain = [at for at in every if at.change == NONE]
    scaling, points = fit(every)
    engine = BuiltinEngine(threads=1)
    engine.close()
    name = " + ".join(SOURCES)
    written = Calibration(
        binding=Binding.of(engine.info),
        slope=scaling.slope,
        intercept=scaling.intercept,
        lower=points.lower,
        upper=points.upper,
        fitted_on=Fitted(
            dataset=name,
            tiles=sum(len(at.truth) for at in plain),
            positives=sum(int(at.truth.sum()) for at in plain),
            cases=sum(len(set(at.cases.tolist())) for at in plain),
        ),
        figures={key: round(value, 6) for key, value in evidence(every, every).items()},
    )
    margins = np.concatenate([at.margins for at in plain])
    paths = (folder / path for folder, at in zip(folders, plain, strict=True) for path in at.paths)
    reference = Reference.of(engine.info, name, margins.tolist(), gate_figures(paths))
    write_record(written, place)
    save_reference(reference, reference_beside(place))
    return written


def gate_figures(paths: Iterable[Path]) -> dict[str, list[float]]:
    gate = Gate()
    figures: dict[str, list[float]] = {name: [] for name in GATE_FIGURES}
    for path in track(list(paths), "Measuring tiles"):
        with Image.open(path) as image:
            measured = gate.assess(Tile(np.asarray(image.convert("RGB")))).figures
        for name, values in figures.items():
            if name in measured:
                values.append(measured[name])
    return figures


def evidence(known: Sequence[Place], unseen: Sequence[Place]) -> dict[str, float]:
    """What a calibration fitted on some places is worth in others, all changes together."""
    scaling, points = fit(known)
    margins = np.concatenate([place.margins for place in unseen])
    truth = np.concatenate([place.truth for place in unseen])
    found = scaling.probabilities(margins)
    yes, no = found >= points.upper, found <= points.lower
    between = ~(yes | no)
    right = (yes[truth & ~between].mean() + no[~truth & ~between].mean()) / 2
    return {
        "auroc": float(roc_auc_score(truth, margins)),
        "ece": calibration_error(truth, found),
        "yes_called_no": float(no[truth].mean()),
        "no_called_yes": float(yes[~truth].mean()),
        "indeterminate": float(between.mean()),
        "balanced_accuracy": float(right),
    }
