from __future__ import annotations

import csv
import json

import numpy as np

from healer.engines.builtin.engine import CARD, MODEL_FOLDER
from healer.evaluation.shifts import NONE, SHIFTS
from training import ablations, card, evaluate, second, wide


def test_the_card_shows_the_committed_results() -> None:
    text = card.CARD.read_text(encoding="utf-8")
    assert card.rendered(text, card.figures()) == text, "run: python -m training card"


def test_the_card_shows_the_second_answers_figures() -> None:
    text = card.CARD.read_text(encoding="utf-8")
    shown = card.rendered(text, second.tables(), second.BEGIN, second.END)
    assert shown == text, "run: python -m training card"


def test_the_card_shows_how_wide_fields_are_read() -> None:
    text = card.CARD.read_text(encoding="utf-8")
    shown = card.rendered(text, wide.table(), wide.BEGIN, wide.END)
    assert shown == text, "run: python -m training wide"


def test_the_card_shows_what_else_was_tried() -> None:
    text = card.CARD.read_text(encoding="utf-8")
    table = ablations.table(ablations.LEVER_RESULTS)
    shown = card.rendered(text, table, ablations.LEVERS, ablations.LEVERS_END)
    assert shown == text, "run: python -m training levers"


def test_wide_fields_hide_no_cancer() -> None:
    reads = json.loads(wide.RESULTS.read_text(encoding="utf-8"))
    cancer = [each for each in reads if each["kind"].endswith("adenocarcinoma")]
    benign = [each for each in reads if each["kind"] == "normal and polyp"]
    assert len(cancer) == len(benign) == 24
    assert all(each["verdict"] != "no" and each["found"] for each in cancer)
    assert not any(each["verdict"] == "yes" for each in benign)


def test_the_shipped_network_is_the_measured_recipe() -> None:
    results = json.loads(evaluate.RESULTS.read_text(encoding="utf-8"))
    shipped = json.loads((MODEL_FOLDER / CARD).read_text(encoding="utf-8"))["training"]
    assert shipped == {**results["recipe"], "folds": results["folds"], "seed": results["seed"]}


def test_out_of_fold_scores_cover_every_measured_tile() -> None:
    lines = evaluate.ANSWERS.read_text(encoding="utf-8").splitlines()
    results = json.loads(evaluate.RESULTS.read_text(encoding="utf-8"))
    assert len(lines) == 1 + results["tiles"] * len(SHIFTS)
    assert evaluate.ANSWERS.stat().st_size < 1_000_000


def test_the_mistakes_named_in_the_card_are_those_of_the_scores() -> None:
    with evaluate.ANSWERS.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["shift"] == NONE]
    labels = np.array([row["label"] for row in rows])
    yes = np.array([float(row["margin"]) for row in rows]) > 0
    wrong, high = yes & (labels != "adenocarcinoma"), labels == "high-grade-in"
    missed, cancers = ~yes & (labels == "adenocarcinoma"), labels == "adenocarcinoma"
    text = card.CARD.read_text(encoding="utf-8")
    assert f"{(wrong & high).sum()} of {wrong.sum()} false positives" in text
    assert f"{missed.sum()} of {cancers.sum()} cancers are missed" in text
