"""Fits the gate's boosted trees and stores them as `gate.npz`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.ensemble import GradientBoostingClassifier

from healer.quality.gate import HistologyHead

Matrix = NDArray[np.float32]
# Few figures a split and half of the examples a tree, so that no figure decides alone.
SHAPE: dict[str, Any] = {
    "learning_rate": 0.08,
    "max_leaf_nodes": 10,
    "max_depth": None,
    "max_features": 0.06,
    "subsample": 0.5,
    "min_samples_leaf": 15,
    "init": "zero",
}


def fit(
    figures: Matrix,
    histology: NDArray[np.bool_],
    weight: NDArray[np.float64],
    names: Sequence[str],
    *,
    trees: int,
    seed: int = 0,
) -> HistologyHead:
    """Boosted trees over rows of `figures`, whose columns are `names`."""
    model = GradientBoostingClassifier(n_estimators=trees, random_state=seed, **SHAPE)
    model.fit(figures, histology, sample_weight=weight * len(weight) / weight.sum())
    return _flattened(model, names)


def _flattened(model: GradientBoostingClassifier, names: Sequence[str]) -> HistologyHead:
    columns: dict[str, list[NDArray[np.float64]]] = {}
    roots, depth, start = [], 0, 0
    for tree in (estimator.tree_ for estimator in model.estimators_[:, 0]):
        leaf = tree.children_left < 0
        itself = np.arange(tree.node_count)
        parts = {
            "feature": np.where(leaf, 0, tree.feature),
            "threshold": tree.threshold,
            "left": np.where(leaf, itself, tree.children_left) + start,
            "right": np.where(leaf, itself, tree.children_right) + start,
            "value": np.where(leaf, tree.value[:, 0, 0] * model.learning_rate, 0),
        }
        for key, part in parts.items():
            columns.setdefault(key, []).append(part)
        roots.append(start)
        depth, start = max(depth, tree.max_depth), start + tree.node_count
    whole = {key: np.concatenate(found) for key, found in columns.items()}
    return HistologyHead(
        names=tuple(names),
        roots=np.array(roots, np.int32),
        feature=whole["feature"].astype(np.int16),
        threshold=whole["threshold"].astype(np.float32),
        left=whole["left"].astype(np.int32),
        right=whole["right"].astype(np.int32),
        value=whole["value"].astype(np.float32),
        depth=depth,
    )


def probabilities(head: HistologyHead, figures: Matrix) -> NDArray[np.float64]:
    """`Head.probability` of many rows at once."""
    at = np.broadcast_to(head.roots, (len(figures), len(head.roots)))
    rows = np.arange(len(figures))[:, None]
    for _ in range(head.depth):
        lower = figures[rows, head.feature[at]] <= head.threshold[at]
        at = np.where(lower, head.left[at], head.right[at])
    return np.asarray(1 / (1 + np.exp(-head.value[at].sum(axis=1, dtype=np.float64))))


def store(heads: dict[str, HistologyHead], path: Path) -> None:
    arrays = {
        f"{name}_{key}": np.asarray(getattr(head, key))
        for name, head in heads.items()
        for key in HistologyHead.__slots__
    }
    np.savez_compressed(path, allow_pickle=False, **arrays)
