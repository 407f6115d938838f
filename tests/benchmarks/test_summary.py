from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.checkpoint.shapes import SHAPES
from benchmarks.medgemma.result import Result
from benchmarks.medgemma.rounds import Run
from benchmarks.medgemma.summary import decoded, ratios
from benchmarks.medgemma.systems import SYSTEMS
from benchmarks.medgemma.tables import WIDTH, show

MACHINE = {
    "processor": "An Abacus",
    "features": ["beads"],
    "cores": 2,
    "memory": 2**34,
    "read": 20e9,
    "matrices": [
        {"at": "vision", "type": "float32", "through": "torch", "rate": 100e9},
        {"at": "vision", "type": "bfloat16", "through": "torch", "rate": 200e9},
        {"at": "vision", "type": "bfloat16", "through": "openvino", "rate": 300e9},
        {"at": "language", "type": "int8", "through": "openvino", "rate": 700e9},
    ],
}


def run(name: str, number: int, seconds: float) -> Run:
    """A verdict after so many seconds, the next token after twice that, then one each tenth."""
    answer = [seconds, 2 * seconds, *(2 * seconds + 0.1 * seconds * n for n in range(1, 4))]
    stages: dict[str, dict[str, object]] = {
        "imports": {"at": 0.5},
        "load": {"at": 1.0, "peak_rss": 10},
        "first_verdict": {"at": 1.0 + seconds, "prompt_tokens": 37, "peak_rss": 2**30},
        "done": {
            "at": 9.0,
            "answers": [answer],
            "second_verdict": seconds / 10,
            "prompt_tokens": 37,
            "versions": {"library": "1.2"},
            "peak_rss": int(seconds * 2**30),
        },
    }
    return Run(name, number, stages, peak_anonymous=2**29, others=0.01, code=0)


def printed(result: Result) -> str:
    console = Console(file=io.StringIO(), width=WIDTH)
    show(result, None, console)
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


@pytest.fixture
def result(tmp_path: Path) -> Result:
    (tmp_path / "openvino").mkdir()
    (tmp_path / "openvino" / "language.bin").write_bytes(bytes(2**20))
    runs = [run("healer-openvino", 0, 1.0), run("transformers", 0, 3.0)]
    runs += [run("healer-openvino", 1, 2.0), run("transformers", 1, 5.0)]
    runs += [Run("llama.cpp", 0, {"skipped": {"at": 1.0, "reason": "no GGUF"}}, code=3)]
    return Result(SHAPES["tiny"], tmp_path, 4, MACHINE, 0.02, runs)


def test_medians_and_spread_are_of_all_rounds(result: Result) -> None:
    ours, theirs = result.found
    assert (ours.verdict.median, ours.verdict.low, ours.verdict.high) == (1.5, 1.0, 2.0)
    assert theirs.whole.median == pytest.approx(4 * 2.3)
    assert ours.disk == 2**20
    assert ours.peak_rss == 2 * 2**30


def test_ratios_say_how_many_times_better_the_first_is(result: Result) -> None:
    found = ratios(*result.found)
    assert found["verdict"] == pytest.approx(4 / 1.5)
    assert found["peak_rss"] == pytest.approx(5 / 2)
    assert found["decode"] == pytest.approx((10 / 1 + 10 / 2) / (10 / 3 + 10 / 5))


def test_decoding_is_timed_between_tokens() -> None:
    assert decoded([9.0, 10.0, 10.5, 11.0]) == pytest.approx(2.0)


def test_the_best_rates_make_the_floor(result: Result) -> None:
    rates = result.rates
    assert (rates.matrix, rates.attention, rates.read) == (700e9, 300e9, 20e9)


def test_the_table_says_everything(result: Result) -> None:
    shown = printed(result)
    for words in (
        "An Abacus, 2 cores, 16 GiB; beads",
        "Healer, OpenVINO int8",
        "1.5 (1–2)",
        "2.67×",
        "Floor",
        "llama.cpp: skipped: no GGUF",
        "bfloat16 300 (openvino)",
    ):
        assert words in shown
    assert "NOT QUIET" not in shown


def test_other_load_is_reported(result: Result) -> None:
    result.runs[0].others = 0.7
    assert "NOT QUIET: others used up to 0.70 cores" in printed(result)


def test_the_tables_fit_beside_each_other(result: Result) -> None:
    result.runs = [run(name, number, 33.71 + number) for name in SYSTEMS for number in (0, 1)]
    lines = printed(result).splitlines()
    assert max(map(len, lines)) <= WIDTH
    for entry in SYSTEMS.values():  # a line each in both tables, with nothing cut or wrapped
        rows = [line for line in lines if f"│ {entry.title} " in line]
        assert len(rows) == (2 if entry.name == "healer-openvino" else 3)
        assert "34.2 (33.7–34.7)" in rows[0]
    assert "…" not in "".join(lines)


def test_rounds_that_failed_are_counted(result: Result) -> None:
    failed = [Run("transformers", number, code=1, said="no luck") for number in (2, 3)]
    result.runs += failed
    assert result.missing["transformers"] == ("2 of 4 rounds failed after start, exit 1: no luck")
    assert [each.name for each in result.found] == ["healer-openvino", "transformers"]
    assert "transformers: 2 of 4 rounds failed" in printed(result)


def test_files(result: Result, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    files = result.save(tmp_path / "out")
    assert [file.name for file in files] == ["bench.json", "bench.csv", "bench.png"]
    saved = json.loads(files[0].read_text(encoding="utf-8"))
    assert saved["missing"] == {"llama.cpp": "skipped: no GGUF"}
    assert saved["ratios"]["transformers"]["verdict"] == pytest.approx(4 / 1.5)
    rows = list(csv.DictReader(files[1].read_text(encoding="utf-8").splitlines()))
    assert [row["verdict_median"] for row in rows] == ["1.5", "4.0"]
    assert files[2].read_bytes().startswith(b"\x89PNG")


def test_nothing_finished_is_still_a_result(tmp_path: Path) -> None:
    result = Result(SHAPES["tiny"], tmp_path, 4, MACHINE, 0.0, [Run("transformers", 0, code=1)])
    assert [file.name for file in result.save(tmp_path)] == ["bench.json"]
    assert result.missing == {"transformers": "1 of 1 rounds failed after start, exit 1: "}
