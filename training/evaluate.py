"""Out-of-fold figures of network and baseline, at home and under simulated shifts, into JSON."""

from __future__ import annotations

import csv
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rich.progress import track
from sklearn.metrics import roc_auc_score

from healer.evaluation import shifts
from training import baseline, crossval, heads_fit, metrics, shipped
from training.data import CANCER_INDEX, Tiles
from training.kather import KatherTiles
from training.shipped import HeldOut

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
ANSWERS = HERE / "answers.csv"
KATHER_ANSWERS = HERE / "kather-answers.csv"
HOME = shifts.TITLES[shifts.NONE]


def evaluate(
    tiles: Tiles, others: KatherTiles, answers: Path = ANSWERS, elsewhere: Path = KATHER_ANSWERS
) -> dict[str, Any]:
    """Predicts with the networks that ship, writes out-of-fold answers; returns what
    `results.json` holds."""
    at_home, away = shipped.of_ebhi(tiles), shipped.of_kather(others)
    scores = shipped.write([at_home, away])
    save_answers(at_home, scores, answers)
    save_answers(away, scores, elsewhere)
    network = {title: scores[at_home.source, shift] for shift, title in shifts.TITLES.items()}
    return {
        "recipe": asdict(heads_fit.RECIPES[heads_fit.SHIPPED]),
        "folds": crossval.FOLDS,
        "seed": heads_fit.SEED,
        "tiles": len(tiles),
        "cases": len(np.unique(tiles.cases)),
        "network": measured(tiles, network),
        "baseline": measured(tiles, baseline.out_of_fold(tiles)),
        "threshold": metrics.at_threshold(network[HOME], tiles.labels),
        "each_fold": each_fold(tiles, network[HOME]),
    }


def measured(tiles: Tiles, scores: Mapping[str, NDArray[np.float32]]) -> dict[str, Any]:
    return {
        shift: metrics.measure(each, tiles.labels, tiles.cases)
        for shift, each in track(scores.items(), "Measuring")
    }


def each_fold(tiles: Tiles, scores: NDArray[np.float32]) -> dict[str, list[float]]:
    """AUROC within each fold of the first repeat."""
    out: dict[str, list[float]] = {metrics.VERSUS_BENIGN: [], metrics.VERSUS_ALL: []}
    for member in crossval.members(1):
        _, rows = crossval.rows_of(tiles, member)
        parts = metrics.tasks(tiles.labels[rows])
        for name, areas in out.items():
            column, part = parts[name]
            score = metrics.margin(scores[rows], column)[part]
            area = roc_auc_score(tiles.labels[rows][part] == column, score)
            areas.append(round(float(area), 4))
    return out


def save_answers(
    tiles: HeldOut, scores: Mapping[tuple[str, str], NDArray[np.float32]], file: Path
) -> None:
    """Margins for `healer eval` and `healer calibrate`: path, label, case_id, shift, margin."""
    with file.open("w", newline="", encoding="utf-8") as out:
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow(["path", "label", "case_id", "shift", "margin"])
        for shift in shifts.SHIFTS:
            margins = metrics.margin(scores[tiles.source, shift], CANCER_INDEX)
            for path, label, case, margin in zip(
                tiles.paths, tiles.labels, tiles.cases, margins, strict=True
            ):
                rows.writerow([path, label, case, shift, f"{margin:.3f}"])


def write(results: Mapping[str, Any], file: Path = RESULTS) -> None:
    file.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
