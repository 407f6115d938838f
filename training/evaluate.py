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
from training import baseline, crossval, metrics
from training.data import CANCER_INDEX, LABELS, Tiles
from training.fit import Recipe

HERE = Path(__file__).parent
RESULTS = HERE / "results.json"
ANSWERS = HERE / "answers.csv"
HOME = shifts.TITLES[shifts.NONE]


def evaluate(
    tiles: Tiles, recipe: Recipe, repeats: int, runs: Path, answers: Path = ANSWERS
) -> dict[str, Any]:
    """Predicts, measures, writes out-of-fold `answers`; returns what `results.json` holds."""
    network = {
        title: crossval.out_of_fold(tiles, recipe, repeats, runs, shift)
        for shift, title in track(shifts.TITLES.items(), "Network, shift by shift")
    }
    save_answers(tiles, network, answers)
    members = crossval.members(repeats)
    return {
        "recipe": asdict(recipe),
        "folds": crossval.FOLDS,
        "seeds": [member.seed for member in members],
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


def save_answers(tiles: Tiles, network: Mapping[str, NDArray[np.float32]], file: Path) -> None:
    """Margins for `healer eval` and `healer calibrate`: path, label, case_id, shift, margin."""
    with file.open("w", newline="", encoding="utf-8") as out:
        rows = csv.writer(out, lineterminator="\n")
        rows.writerow(["path", "label", "case_id", "shift", "margin"])
        for shift, title in shifts.TITLES.items():
            margins = metrics.margin(network[title], CANCER_INDEX)
            for at, margin in enumerate(margins):
                label = LABELS[tiles.labels[at]]
                rows.writerow([tiles.paths[at], label, tiles.cases[at], shift, f"{margin:.3f}"])


def write(results: Mapping[str, Any], file: Path = RESULTS) -> None:
    file.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
