"""Everything the commands do, small: train, evaluate, print, export, serve."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from healer.engines.builtin.engine import BuiltinEngine
from healer.evaluation.shifts import SHIFTS
from healer.images.tile import Tile
from training import baseline, card, crossval, evaluate, export, shipped
from training.backbone import Backbone
from training.data import Tiles
from training.fit import Recipe
from training.heads import Heads, Member
from training.kather import OUTPUT_NAMES, KatherTiles

TINY = Recipe(epochs=1, drawn=(0.0,), batch=6, neck=8)


@pytest.fixture(scope="module")
def runs(drawn: Tiles, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs")
    crossval.train(drawn, TINY, 1, folder)
    return folder


@pytest.mark.slow
def test_results_are_written_and_printed(
    drawn: Tiles, drawn_kather: KatherTiles, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipped, "CLASS_ANSWERS", tmp_path / "classes.csv")
    home, away = tmp_path / "answers.csv", tmp_path / "kather.csv"
    results = evaluate.evaluate(drawn, drawn_kather, home, away)
    evaluate.write(results, tmp_path / "results.json")
    text = card.figures(tmp_path / "results.json")
    for file, tiles in ((home, drawn), (away, drawn_kather)):
        assert len(file.read_text(encoding="utf-8").splitlines()) == 1 + len(SHIFTS) * len(tiles)
    assert "adenocarcinoma against normal and polyp | 4 / 12" in text
    assert "24 tiles of 12 cases, 4 folds" in text


@pytest.mark.slow
def test_exported_members_serve(drawn: Tiles, runs: Path, tmp_path: Path) -> None:
    networks = [crossval.read(member, TINY, runs) for member in crossval.members(1)]
    whole = [Member(Backbone(each), [Heads.of(each, width=8)]).eval() for each in networks]
    export.write(whole, {}, tmp_path)
    engine = BuiltinEngine(threads=1, folder=tmp_path)
    (evidence,) = engine.score([Tile(drawn.pixels[0])])
    assert np.isfinite(evidence.margin)
    assert {each.name for each in evidence.findings} == set(OUTPUT_NAMES)


def test_the_baseline_sees_colour_and_only_unseen_cases(drawn: Tiles) -> None:
    scores = baseline.out_of_fold(drawn)["as it is"]
    assert np.allclose(np.exp(scores).sum(1), 1, atol=1e-5)
