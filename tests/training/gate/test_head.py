from __future__ import annotations

import io
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import GradientBoostingClassifier

from healer.quality.gate import HistologyHead
from training.gate import head

NAMES = ("a", "b", "c", "d")


@pytest.fixture(scope="module")
def figures() -> head.Matrix:
    return np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)


def fitted(figures: head.Matrix) -> HistologyHead:
    return head.fit(figures, histology(figures), np.ones(300), NAMES, trees=12)


def histology(figures: head.Matrix) -> np.ndarray:
    return np.asarray(figures[:, 0] * figures[:, 1] > figures[:, 2])


def test_the_flattened_trees_give_what_the_library_gives(figures: head.Matrix) -> None:
    model = GradientBoostingClassifier(n_estimators=12, random_state=0, **head.SHAPE)
    expected = model.fit(figures, histology(figures)).predict_proba(figures)[:, 1]
    ours = fitted(figures)
    assert head.probabilities(ours, figures) == pytest.approx(expected, abs=1e-5)
    one = ours.probability(dict(zip(NAMES, figures[7].tolist(), strict=True)))
    assert one == pytest.approx(expected[7], abs=1e-5)


def test_a_stored_head_is_read_back_as_it_was(figures: head.Matrix, tmp_path: Path) -> None:
    ours = fitted(figures)
    head.store({"histology": ours}, tmp_path / "gate.npz")
    read = HistologyHead.read(io.BytesIO((tmp_path / "gate.npz").read_bytes()), "histology")
    for field in fields(HistologyHead):
        assert np.array_equal(getattr(read, field.name), getattr(ours, field.name))
