from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from healer.errors import ResultsMismatch
from healer.evaluation.compare import compare

COLUMNS = ["path", "truth", "case_id", "shift", "margin", "verdict"]


def results(folder: Path, margins: list[float], *, names: str = "tile") -> Path:
    """Every other tile is cancer; a margin above nought is a yes."""
    folder.mkdir()
    (folder / "results.json").write_text(json.dumps({"format": 1}))
    with (folder / "answers.csv").open("w", newline="") as file:
        out = csv.writer(file)
        out.writerow(COLUMNS)
        for at, margin in enumerate(margins):
            truth = "yes" if at % 2 else "no"
            verdict = "yes" if margin > 0 else "no"
            out.writerow([f"{names} {at}", truth, f"case {at // 4}", "none", margin, verdict])
            out.writerow([f"{names} {at}", truth, f"case {at // 4}", "blur", 0.0, "no"])
    return folder


RIGHT = [2.0 if at % 2 else -2.0 for at in range(40)]


def test_the_same_twice_has_lost_nothing(tmp_path: Path) -> None:
    found = compare(results(tmp_path / "a", RIGHT), results(tmp_path / "b", RIGHT), 100)
    assert (found.tiles, found.agreement, found.changed) == (40, 1.0, {})
    assert found.margins["max"] == 0
    assert found.p_value == 1.0
    assert (found.loss.value, found.loss.low, found.loss.high) == (0, 0, 0)
    assert not found.lost(0.0)


def test_a_loss_is_counted_tested_and_past_its_limit(tmp_path: Path) -> None:
    """Eight tiles go wrong, so McNemar's exact p is 2 / 2**8."""
    worse = [-margin if at < 8 else margin for at, margin in enumerate(RIGHT)]
    found = compare(results(tmp_path / "a", RIGHT), results(tmp_path / "b", worse), 200)
    assert found.agreement == pytest.approx(0.8)
    assert found.changed == {"no → yes": 4, "yes → no": 4}
    assert (found.better, found.worse) == (0, 8)
    assert found.p_value == pytest.approx(2 / 2**8)
    assert found.margins["max"] == 4.0
    assert found.margins["mean"] == pytest.approx(0.8)
    assert found.loss.value is not None
    assert found.loss.value > 0.1
    assert found.loss.low is not None
    assert found.lost(0.1)
    assert not found.lost(0.5)


def test_verdicts_that_change_are_a_loss_even_where_the_order_stays(tmp_path: Path) -> None:
    moved = [margin + 3 for margin in RIGHT]
    found = compare(results(tmp_path / "a", RIGHT), results(tmp_path / "b", moved), 50)
    assert found.loss.value == 0
    assert found.agreement == 0.5
    assert found.lost(0.4)


def test_a_paired_interval_is_narrower_than_its_parts(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    noisy = [margin + rng.normal(0, 3) for margin in RIGHT]
    nearly = [margin + rng.normal(0, 0.01) for margin in noisy]
    found = compare(results(tmp_path / "a", noisy), results(tmp_path / "b", nearly), 200)
    assert found.loss.low is not None
    assert found.loss.high is not None
    assert found.loss.high - found.loss.low < 0.02


def test_other_tiles_cannot_be_compared(tmp_path: Path) -> None:
    first = results(tmp_path / "a", RIGHT)
    with pytest.raises(ResultsMismatch, match="80 tiles are in only one"):
        compare(first, results(tmp_path / "b", RIGHT, names="other"))
    with pytest.raises(ResultsMismatch, match="not a folder of finished results"):
        compare(first, tmp_path)


def test_another_truth_cannot_be_compared(tmp_path: Path) -> None:
    first, second = results(tmp_path / "a", RIGHT), results(tmp_path / "b", RIGHT)
    file = second / "answers.csv"
    file.write_text(file.read_text(encoding="utf-8").replace("tile 0,no", "tile 0,yes"))
    with pytest.raises(ResultsMismatch, match="tile 0 has another answer"):
        compare(first, second)
