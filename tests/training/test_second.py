"""The evidence behind the second answer's cuts."""

from __future__ import annotations

import csv
import math
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from healer.engines.base import Answer
from healer.engines.builtin.engine import network_input
from healer.evaluation.shifts import NONE, SHIFTS
from healer.questions.colorectal import HIGH_GRADE_SHARE
from training import data, evaluate, kather, second, shipped
from training.data import LABELS


@pytest.fixture(scope="module")
def both_answers() -> dict[str, list[second.BothAnswers]]:
    found: dict[str, list[second.BothAnswers]] = defaultdict(list)
    for each in second.both_answers():
        found[each.shift].append(each)
    return found


def margin_of(row: dict[str, str]) -> float:
    cancer, high = float(row["adenocarcinoma"]), float(row["high-grade-in"])
    yes = cancer + HIGH_GRADE_SHARE * high
    return math.log(yes / (sum(float(row[name]) for name in shipped.COLUMNS) - yes))


SOURCES = ((shipped.EBHI_SEG, evaluate.ANSWERS), (shipped.KATHER_2016, evaluate.KATHER_ANSWERS))


def class_rows(source: str) -> list[dict[str, str]]:
    with shipped.CLASS_ANSWERS.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["source"] == source]
    return [row for row in rows if row["shift"] in SHIFTS]


@pytest.mark.parametrize(("source", "answers"), SOURCES)
def test_class_probabilities_are_those_of_the_out_of_fold_margins(
    source: str, answers: Path
) -> None:
    with answers.open(newline="") as file:
        margins = {(row["path"], row["shift"]): row for row in csv.DictReader(file)}
    rows = class_rows(source)
    assert {(row["path"], row["shift"]) for row in rows} == margins.keys()
    near = [(row, float(margins[row["path"], row["shift"]]["margin"])) for row in rows]
    compared = [(margin_of(row), margin) for row, margin in near if abs(margin) < 3]
    assert len(compared) > 100
    assert max(abs(one - other) for one, other in compared) < 0.1


@pytest.mark.slow
def test_the_shipped_networks_give_them(data_dir: Path) -> None:
    """Two tiles of each class, by the network that never saw their case or group."""
    tiles = data.load(data_dir / "ebhi-seg")
    rows = np.concatenate([np.flatnonzero(tiles.labels == at)[:2] for at in range(len(LABELS))])
    others = kather.load(data_dir / "kather2016")
    some = np.unique(others.labels, return_index=True)[1]
    at_home, away = shipped.of_ebhi(tiles), shipped.of_kather(others)
    members = shipped.session()
    for held_out, chosen in ((at_home, rows), (away, some)):
        written = {row["path"]: row for row in class_rows(held_out.source) if row["shift"] == NONE}
        for at in chosen:
            inputs = network_input(held_out.pixels[at])
            scores = shipped.one(members, inputs, int(held_out.members[at]))[0]
            row = written[held_out.paths[at]]
            shares = [float(row[name]) for name in shipped.COLUMNS]
            assert np.allclose(np.exp(scores), shares, atol=2e-3)


@pytest.mark.parametrize("shift", list(SHIFTS))
def test_both_cuts_hold_their_95_percent(
    both_answers: dict[str, list[second.BothAnswers]], shift: str
) -> None:
    ill = [each for each in both_answers[shift] if each.label in second.NEOPLASIA]
    well = [each for each in both_answers[shift] if each.label not in second.NEOPLASIA]
    assert np.mean([each.second.verdict is not Answer.NO for each in ill]) >= 0.95
    assert np.mean([each.second.verdict is not Answer.YES for each in well]) >= 0.95


def test_no_hides_no_high_grade_neoplasia(
    both_answers: dict[str, list[second.BothAnswers]],
) -> None:
    """Of those not called cancer, nine in ten are marked, and the rest are called dysplasia."""
    high = second.uncalled([each for each in both_answers[NONE] if each.label == second.HIGH_GRADE])
    assert len(high) == 126
    assert np.mean([second.marked_high(each) for each in high]) >= 0.9
    assert all(each.second.verdict is Answer.YES for each in high)
    benign = [each for each in both_answers[NONE] if each.label in ("polyp", "normal")]
    assert not any(second.marked_high(each) for each in benign)
