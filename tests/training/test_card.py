from __future__ import annotations

import csv
import json

import numpy as np

from healer.engines.builtin import files
from training import card, evaluate


def test_the_card_shows_the_committed_results() -> None:
    text = card.CARD.read_text(encoding="utf-8")
    assert card.rendered(text, card.figures()) == text, "run: python -m training card"


def test_the_shipped_network_is_the_measured_recipe() -> None:
    results = json.loads(evaluate.RESULTS.read_text(encoding="utf-8"))
    shipped = json.loads((files.FOLDER / files.CARD).read_text(encoding="utf-8"))["training"]
    assert shipped == {**results["recipe"], "folds": results["folds"], "seeds": results["seeds"]}


def test_out_of_fold_scores_cover_every_measured_tile() -> None:
    lines = evaluate.OUT_OF_FOLD.read_text(encoding="utf-8").splitlines()
    results = json.loads(evaluate.RESULTS.read_text(encoding="utf-8"))
    assert len(lines) == 1 + results["tiles"]
    assert evaluate.OUT_OF_FOLD.stat().st_size < 300_000


def test_the_mistakes_named_in_the_card_are_those_of_the_scores() -> None:
    with evaluate.OUT_OF_FOLD.open(newline="") as file:
        rows = list(csv.DictReader(file))
    labels = np.array([row["label"] for row in rows])
    yes = np.exp([float(row["adenocarcinoma"]) for row in rows]) > 0.5
    wrong, high = yes & (labels != "adenocarcinoma"), labels == "high-grade-in"
    missed, cancers = ~yes & (labels == "adenocarcinoma"), labels == "adenocarcinoma"
    text = card.CARD.read_text(encoding="utf-8")
    assert f"{(wrong & high).sum()} of {wrong.sum()} false positives" in text
    assert f"{missed.sum()} of {cancers.sum()} cancers are missed" in text
