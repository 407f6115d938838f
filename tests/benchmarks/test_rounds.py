"""Real processes, whose libraries are stand-ins that cannot be imported."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks import builtin
from benchmarks.builtin import FLOATS, INTEGERS, OPENVINO, tile_rate
from benchmarks.errors import SystemMissing
from benchmarks.medgemma.rounds import in_turn
from benchmarks.medgemma.systems import SYSTEMS, RunSpec, SystemEntry


def order(entry: SystemEntry, number: int) -> RunSpec:
    return RunSpec(
        checkpoint=Path("nowhere"),
        folder=entry.place(Path("nowhere")),
        question="?",
        second_question="?",
        tokens=2,
        repeats=1,
        first_tile=number,
    )


def test_one_that_failed_is_tried_again_and_one_that_is_not_there_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "llama_cpp.py").write_text("raise RuntimeError('no luck today')\n")
    (tmp_path / "openvino_genai.py").write_text("raise ImportError('not for this machine')\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    entries = [SYSTEMS["llama.cpp"], SYSTEMS["openvino-genai"]]
    runs = list(in_turn(entries, 2, order, cold=False))
    assert [(run.name, run.round) for run in runs] == [
        ("llama.cpp", 0),
        ("openvino-genai", 0),
        ("llama.cpp", 1),
    ]
    assert "RuntimeError: no luck today" in runs[2].outcome
    assert runs[1].outcome.startswith("skipped: ")


def test_the_builtin_models_process_output_is_reported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEALER_GATE", "ajar")
    with pytest.raises(SystemMissing, match=r"0 of 3 tiles were answered: .*HEALER_GATE"):
        tile_rate(FLOATS, tmp_path, 3)


def test_no_row_is_named_after_what_did_not_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(builtin, "multiplies_bytes", lambda: True)
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(SystemMissing, match="not installed"):
        tile_rate(OPENVINO, tmp_path, 3)
    monkeypatch.setattr(builtin, "multiplies_bytes", lambda: False)
    with pytest.raises(SystemMissing, match="no VNNI"):
        tile_rate(INTEGERS, tmp_path, 3)
