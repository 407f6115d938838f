"""The command itself, on the tiny shape, with every process real."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from healer.bench.cage import cage
from healer.cli import app
from healer.errors import NoMemoryLimit

pytest.importorskip("torch")
run = CliRunner().invoke
SMALL = ["--shape", "tiny", "--threads", "1", "--checkpoint", "tiny"]
QUICK = [*SMALL, "--rounds", "1", "--repeats", "1", "--tokens", "3", "--anyway"]


def test_ours_against_plain_transformers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openvino")
    monkeypatch.setenv("COLUMNS", "220")
    names = "healer-openvino,transformers,llama.cpp"
    done = run(app, ["bench", *QUICK, "--contenders", names, "--out", "out"])
    assert done.exit_code == 0, done.output
    saved = json.loads((tmp_path / "out" / "bench.json").read_text(encoding="utf-8"))
    ours, theirs = saved["figures"]
    assert ours["name"] == "healer-openvino"
    assert ours["prompt_tokens"] == theirs["prompt_tokens"]
    assert "transformers" in theirs["versions"]
    assert "transformers" not in ours["versions"]
    assert ours["imports"]["median"] < ours["loaded"]["median"] < ours["first"]["median"]
    assert 0 < ours["peak_anonymous"] < ours["peak_rss"]
    assert len(saved["runs"][0]["stages"]["done"]["answers"][0]) == 4
    assert saved["missing"].keys() == {"llama.cpp"}
    assert "Floor" in done.output


def test_inside_too_little_memory(tmp_path: Path) -> None:
    try:
        with cage(2**30):
            pass
    except NoMemoryLimit as why:
        pytest.skip(str(why))
    done = run(app, ["bench", *QUICK, "--contenders", "transformers", "--memory", "64M"])
    assert done.exit_code == 0, done.output
    saved = json.loads((tmp_path / "runs" / "bench" / "bench.json").read_text(encoding="utf-8"))
    assert saved["caged"][0]["outcome"] == "killed for want of memory after start"


def test_an_unknown_contender_is_named() -> None:
    done = run(app, ["bench", *QUICK, "--contenders", "healer-abacus"])
    assert done.exit_code == 74
    assert "healer-abacus" in done.output


def test_the_builtin_model_on_files(tmp_path: Path) -> None:
    tiles = tmp_path / "tiles"
    tiles.mkdir()
    for number in range(3):
        noise = np.random.default_rng(number).normal((230, 170, 200), 20, (96, 96, 3))
        Image.fromarray(noise.clip(0, 255).astype(np.uint8)).save(tiles / f"{number}.jpg")
    done = run(app, ["bench", "--builtin", "tiles", "--rounds", "1", "--anyway", "--out", "out"])
    assert done.exit_code == 0, done.output
    paces = json.loads((tmp_path / "out" / "builtin.json").read_text(encoding="utf-8"))["paces"]
    assert [(pace["name"], pace["tiles"]) for pace in paces] == [
        ("healer predict", 3),
        ("resnet18", 3),
    ]
    assert all(pace["peak_rss"] > 2**20 for pace in paces)
