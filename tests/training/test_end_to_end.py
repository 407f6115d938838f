"""Everything the commands do, small: train, evaluate, print, export, serve."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from healer.engines.builtin.engine import BuiltinEngine
from healer.evaluation.shifts import SHIFTS
from healer.images.tile import Tile
from training import baseline, card, crossval, evaluate, export
from training.data import Tiles
from training.fit import Recipe

TINY = Recipe(epochs=1, drawn=(0.0,), batch=6, neck=8)


@pytest.fixture(scope="module")
def runs(drawn: Tiles, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    crossval.train(drawn, TINY, 1, folder)
    return folder


def test_results_are_written_and_printed(drawn: Tiles, runs: Path, tmp_path: Path) -> None:
    scores = tmp_path / "scores.csv"
    evaluate.write(evaluate.evaluate(drawn, TINY, 1, runs, scores), tmp_path / "results.json")
    text = card.figures(tmp_path / "results.json")
    assert len(scores.read_text(encoding="utf-8").splitlines()) == 1 + len(SHIFTS) * len(drawn)
    assert "adenocarcinoma against normal and polyp | 4 / 12" in text
    assert "24 tiles of 12 cases, 4 folds" in text


def test_exported_members_serve(drawn: Tiles, runs: Path, tmp_path: Path) -> None:
    networks = [crossval.read(member, TINY, runs) for member in crossval.members(1)]
    export.write(networks, {}, tmp_path)
    engine = BuiltinEngine(threads=1, folder=tmp_path)
    (evidence,) = engine.score([Tile(drawn.pixels[0])])
    assert np.isfinite(evidence.margin)


def test_the_baseline_sees_colour_and_only_unseen_cases(drawn: Tiles) -> None:
    scores = baseline.out_of_fold(drawn)["as it is"]
    assert np.allclose(np.exp(scores).sum(1), 1, atol=1e-5)
