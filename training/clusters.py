"""Generalisation that a case split hides: whole clusters of stain left out of training.

Cases are grouped by colour. A network that has never seen a cluster predicts it, beside the
cross-validated network after as many cycles, which has seen other cases of the same colour.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.progress import Progress
from sklearn.cluster import KMeans
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from healer.evaluation.assess import colour_histogram
from training import crossval, metrics
from training.data import CANCER_INDEX, Tiles
from training.fit import Recipe, fit, predict
from training.network import Network

CLUSTERS = 4
RESULTS = Path(__file__).parent / "clusters.json"
SEED = 500  # apart from the members' seeds


def colours(tiles: Tiles) -> NDArray[np.float64]:
    """Mean and deviation of optical density by channel, each tile: (n, 6)."""
    rows = []
    for tile in tiles.pixels:
        density = -np.log((tile[::4, ::4].astype(np.float64) + 1) / 256)
        rows.append(np.concatenate([density.mean((0, 1)), density.std((0, 1))]))
    return np.stack(rows)


def clusters(tiles: Tiles, count: int = CLUSTERS) -> NDArray[np.int64]:
    """The stain cluster of every tile; a case is never parted."""
    cases, where = np.unique(tiles.cases, return_inverse=True)
    each = colours(tiles)
    by_case = np.stack([each[where == at].mean(0) for at in range(len(cases))])
    found = KMeans(count, n_init=10, random_state=0).fit_predict(
        StandardScaler().fit_transform(by_case)
    )
    return np.asarray(found[where], np.int64)


def file_of(runs: Path, cluster: int) -> Path:
    return runs / f"cluster-{cluster}.pt"


def train(tiles: Tiles, recipe: Recipe, runs: Path, progress: Progress) -> None:
    """One network a cluster, a single cycle each, trained on the other clusters."""
    runs.mkdir(parents=True, exist_ok=True)
    groups = clusters(tiles)
    for cluster in range(CLUSTERS):
        if not file_of(runs, cluster).exists():
            known = tiles.take(np.flatnonzero(groups != cluster))
            title = f"without cluster {cluster}"
            network = fit(known, recipe, SEED + cluster, progress, title)
            torch.save(network.state_dict(), file_of(runs, cluster))


def read(recipe: Recipe, runs: Path, cluster: int) -> Network:
    network = Network(recipe.neck)
    network.load_state_dict(torch.load(file_of(runs, cluster), weights_only=True))
    return network.eval()


def measure(tiles: Tiles, recipe: Recipe, runs: Path) -> list[dict[str, Any]]:
    """A row a cluster: AUROC against all other classes, cluster unseen, and cases unseen."""
    one_cycle = replace(recipe, drawn=recipe.drawn[:1])
    home = crossval.out_of_fold(tiles, one_cycle, 1, runs, "none")
    groups = clusters(tiles)
    return [
        measured(tiles, rows, predict(read(recipe, runs, cluster), tiles.pixels[rows]), home[rows])
        | {"colour_histogram": area(tiles, rows, histogram_margins(tiles, rows))}
        for cluster, rows in parts(groups)
    ]


def parts(groups: NDArray[np.int64]) -> Iterator[tuple[int, NDArray[np.int64]]]:
    yield from ((cluster, np.flatnonzero(groups == cluster)) for cluster in range(CLUSTERS))


def measured(
    tiles: Tiles,
    rows: NDArray[np.int64],
    unseen: NDArray[np.float32],
    home: NDArray[np.float32],
) -> dict[str, Any]:
    return {
        "tiles": len(rows),
        "cancers": int((tiles.labels[rows] == CANCER_INDEX).sum()),
        "cases": len(np.unique(tiles.cases[rows])),
        "mean_colour": tiles.pixels[rows].mean((0, 1, 2)).round().astype(int).tolist(),
        "cluster_unseen": area(tiles, rows, metrics.margin(unseen, CANCER_INDEX)),
        "cases_unseen": area(tiles, rows, metrics.margin(home, CANCER_INDEX)),
    }


def area(tiles: Tiles, rows: NDArray[np.int64], score: NDArray[np.float32]) -> dict[str, float]:
    """AUROC against all other classes with its interval over cases."""
    truth = tiles.labels[rows] == CANCER_INDEX
    even = np.ones((1, len(rows)), np.int64)
    low, high = metrics.interval(truth, score, tiles.cases[rows])
    value = float(metrics.weighted_areas(truth, score, even)[0])
    return {"auroc": round(value, 4), "low": round(low, 4), "high": round(high, 4)}


def histogram_margins(tiles: Tiles, unseen: NDArray[np.int64]) -> NDArray[np.float32]:
    """What colour alone knows of a cluster, fitted on the others."""
    known = np.setdiff1d(np.arange(len(tiles)), unseen)
    seen = np.stack([colour_histogram(tile) for tile in tiles.pixels])
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=5000))
    model.fit(seen[known], tiles.labels[known] == CANCER_INDEX)
    return np.asarray(model.decision_function(seen[unseen]), np.float32)


def write(rows: list[dict[str, Any]], file: Path = RESULTS) -> None:
    file.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
