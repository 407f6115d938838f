"""The command itself, on the tiny shape, with every process real."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from benchmarks.checkpoint.make import Recipe, make_checkpoint
from benchmarks.medgemma.healer_openvino import load
from benchmarks.medgemma.memory_limit import make_memory_limit
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
    assert "Second question: another one about the tile before" in done.output
    assert "in 64 MB, the default." in done.output
    assert ours["second"]["count"] == 1


def test_the_second_question_is_asked_with_the_default_cache_and_skips_the_image(
    tmp_path: Path,
) -> None:
    pytest.importorskip("openvino")
    from benchmarks.checkpoint.shapes import SHAPES
    from benchmarks.medgemma.command import SECOND_QUESTION, convert
    from benchmarks.medgemma.system import BenchmarkOrder, tile
    from healer.engines.openvino.conversion_record import CONVERSION_FOLDER
    from healer.settings.loading import Settings

    make_checkpoint(tmp_path, Recipe(SHAPES["tiny"]))
    convert(tmp_path)
    order = BenchmarkOrder(
        checkpoint=tmp_path,
        folder=tmp_path / CONVERSION_FOLDER,
        question="Is there cancer? Answer yes or no.",
        second_question=SECOND_QUESTION,
        tokens=1,
        repeats=1,
        threads=1,
    )
    contender = load(order)
    cache, vision = contender._gemma.cache, contender._gemma.vision
    assert cache.budget == Settings.model_fields["image_cache_mb"].default * 1024 * 1024
    looks, request = [], vision.request

    class Counting:
        def infer(self, *given: object) -> object:
            looks.append(given)
            return request.infer(*given)

    vision.request = Counting()
    contender.answer(tile(1), order.question, 1, lambda: None)
    contender.answer(tile(1), order.second_question, 0, lambda: None)
    assert len(looks) == 1
    contender.answer(tile(2), order.second_question, 0, lambda: None)
    assert len(looks) == 2


def test_inside_too_little_memory(tmp_path: Path) -> None:
    try:
        with make_memory_limit(2**30):
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
