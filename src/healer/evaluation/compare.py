"""Two evaluations of the same tiles: agreement, and loss of AUROC."""

from __future__ import annotations

import csv
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

from healer.errors.evaluation import ResultsMismatch
from healer.evaluation.metrics import RESAMPLES, SEED, Figure, intervals
from healer.evaluation.results import NAME
from healer.evaluation.shifts import NONE

ANSWERS = "answers.csv"
QUANTILES = (0.5, 0.95, 0.99)


@dataclass(frozen=True)
class Side:
    """One folder of results: its unshifted answers by path."""

    folder: Path
    results: dict[str, Any]
    rows: dict[str, dict[str, str]]


@dataclass(frozen=True)
class Comparison:
    """B against A. `margins` are absolute differences of log-odds; `loss` is AUROC A − AUROC B."""

    tiles: int
    agreement: float
    changed: dict[str, int]
    margins: dict[str, float]
    better: int
    worse: int
    p_value: float
    loss: Figure

    def lost(self, most: float) -> bool:
        """Past the allowed loss: in AUROC, or in the share of verdicts that stay the same."""
        area = self.loss.value if self.loss.value is not None else 0.0
        return area > most or 1 - self.agreement > most


def compare(first: Path, second: Path, resamples: int = RESAMPLES) -> Comparison:
    """Raises ResultsMismatch where the two are not answers to the same tiles."""
    a, b = read_run(first), read_run(second)
    paths = _shared(a, b)
    verdicts = [(a.rows[path]["verdict"], b.rows[path]["verdict"]) for path in paths]
    both = [p for p in paths if a.rows[p]["margin"] and b.rows[p]["margin"]]
    truth = np.array([a.rows[path]["truth"] == "yes" for path in both], bool)
    margins = np.array([[float(x.rows[p]["margin"]) for p in both] for x in (a, b)]).reshape(2, -1)
    better, worse = _discordant(a, b, paths)
    return Comparison(
        tiles=len(paths),
        agreement=sum(x == y for x, y in verdicts) / len(paths),
        changed=_changes(verdicts),
        margins=_spread(np.abs(margins[0] - margins[1])),
        better=better,
        worse=worse,
        p_value=binomtest(better, better + worse).pvalue if better + worse else 1.0,
        loss=_loss(truth, margins, [a.rows[path]["case_id"] for path in both], resamples),
    )


def read_run(folder: Path) -> Side:
    try:
        results = json.loads((folder / NAME).read_text(encoding="utf-8"))
        with (folder / ANSWERS).open(newline="", encoding="utf-8") as file:
            rows = {row["path"]: row for row in csv.DictReader(file) if row["shift"] == NONE}
    except (OSError, ValueError, KeyError, csv.Error) as error:
        reason = f"it is not a folder of finished results ({error})"
        raise ResultsMismatch(str(folder), reason) from None
    return Side(folder, results, rows)


def _shared(a: Side, b: Side) -> list[str]:
    if a.rows.keys() != b.rows.keys() or not a.rows:
        apart = len(a.rows.keys() ^ b.rows.keys())
        reason = f"{apart} tiles are in only one of it and {a.folder}"
        raise ResultsMismatch(str(b.folder), reason)
    for path, row in a.rows.items():
        if row["truth"] != b.rows[path]["truth"]:
            raise ResultsMismatch(str(b.folder), f"{path} has another answer in {a.folder}")
    return list(a.rows)


def _changes(verdicts: list[tuple[str, str]]) -> dict[str, int]:
    changed = [f"{x} → {y}" for x, y in verdicts if x != y]
    return {change: changed.count(change) for change in sorted(set(changed))}


def _spread(differences: NDArray[np.float64]) -> dict[str, float]:
    if not len(differences):
        return {}
    quantiles = {f"{q:.0%} quantile": float(np.quantile(differences, q)) for q in QUANTILES}
    return {"mean": float(differences.mean()), **quantiles, "max": float(differences.max())}


def _discordant(a: Side, b: Side, paths: list[str]) -> tuple[int, int]:
    """Tiles only B got right, and tiles only A did; an indeterminate answer is not right."""
    right = [
        [side.rows[path]["verdict"] == side.rows[path]["truth"] for path in paths]
        for side in (a, b)
    ]
    pairs = list(zip(*right, strict=True))
    return pairs.count((False, True)), pairs.count((True, False))


def _loss(
    truth: NDArray[np.bool_], margins: NDArray[np.float64], cases: list[str], resamples: int
) -> Figure:
    def loss(rows: NDArray[np.int64]) -> dict[str, float]:
        true = truth[rows]
        if not len(true) or true.all() or not true.any():
            return {"loss": math.nan}
        first, second = (float(roc_auc_score(true, each[rows])) for each in margins)
        return {"loss": first - second}

    value = loss(np.arange(len(truth)))["loss"]
    if not math.isfinite(value):
        return Figure(None, reason="every tile has the same answer")
    low, high = intervals(loss, cases, resamples, SEED).get("loss", (None, None))
    return Figure(value, low, high, None if low is not None else "too few cases to resample")
