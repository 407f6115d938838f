"""The command itself, on the tiny shape, with every process real."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from benchmarks import builtin
from benchmarks.__main__ import OTHERS, app
from benchmarks.checkpoint.make import Recipe, make_checkpoint
from benchmarks.errors import NoMemoryLimit
from benchmarks.medgemma.healer_openvino import load
from benchmarks.processes import make_memory_limit
from healer.hardware import multiplies_bytes
from tests.conftest import REPO

pytest.importorskip("torch")
run = CliRunner().invoke
SMALL = ["--shape", "tiny", "--threads", "1", "--checkpoint", "tiny"]
QUICK = [*SMALL, "--rounds", "1", "--repeats", "1", "--tokens", "3", "--anyway"]


@pytest.mark.slow
def test_ours_against_plain_transformers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openvino")
    monkeypatch.setenv("COLUMNS", "220")
    names = "healer-openvino,transformers,llama.cpp"
    done = run(app, ["medgemma", *QUICK, "--systems", names, "--out", "out"])
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


@pytest.mark.slow
def test_the_second_question_uses_the_default_cache_and_skips_the_image(
    tmp_path: Path,
) -> None:
    pytest.importorskip("openvino")
    from benchmarks.checkpoint.shapes import SHAPES
    from benchmarks.medgemma.command import SECOND_QUESTION, convert
    from benchmarks.medgemma.systems import RunSpec, tile
    from healer.engines.openvino import CONVERSION_FOLDER
    from healer.settings.loading import Settings

    make_checkpoint(tmp_path, Recipe(SHAPES["tiny"]))
    convert(tmp_path)
    spec = RunSpec(
        checkpoint=tmp_path,
        folder=tmp_path / CONVERSION_FOLDER,
        question="Is there cancer? Answer yes or no.",
        second_question=SECOND_QUESTION,
        tokens=1,
        repeats=1,
        threads=1,
    )
    system = load(spec)
    cache, vision = system._gemma.cache, system._gemma.vision
    assert cache.budget == Settings.model_fields["image_cache_mb"].default * 1024 * 1024
    inferences, request = [], vision.request

    class Counting:
        def infer(self, *inputs: object) -> object:
            inferences.append(inputs)
            return request.infer(*inputs)

    vision.request = Counting()
    system.answer(tile(1), spec.question, 1, lambda: None)
    system.answer(tile(1), spec.second_question, 0, lambda: None)
    assert len(inferences) == 1
    system.answer(tile(2), spec.second_question, 0, lambda: None)
    assert len(inferences) == 2


def test_inside_too_little_memory(tmp_path: Path) -> None:
    try:
        with make_memory_limit(2**30):
            pass
    except NoMemoryLimit as why:
        pytest.skip(str(why))
    done = run(app, ["medgemma", *QUICK, "--systems", "transformers", "--memory", "64M"])
    assert done.exit_code == 0, done.output
    saved = json.loads((tmp_path / "runs" / "bench" / "bench.json").read_text(encoding="utf-8"))
    assert saved["limited"][0]["outcome"] == "killed for want of memory after start"


def test_an_unknown_system_is_named() -> None:
    done = run(app, ["medgemma", *QUICK, "--systems", "healer-abacus"])
    assert done.exit_code == 74
    assert "healer-abacus" in done.output


def test_the_builtin_model_on_files(tmp_path: Path) -> None:
    tiles = tmp_path / "tiles"
    tiles.mkdir()
    for number in range(3):
        noise = np.random.default_rng(number).normal((230, 170, 200), 20, (96, 96, 3))
        Image.fromarray(noise.clip(0, 255).astype(np.uint8)).save(tiles / f"{number}.jpg")
    done = run(app, ["builtin", "tiles", "--rounds", "1", "--anyway", "--out", "out"])
    assert done.exit_code == 0, done.output
    rates = json.loads((tmp_path / "out" / "builtin.json").read_text(encoding="utf-8"))["rates"]
    in_integers = [builtin.INTEGERS, builtin.OPENVINO] if multiplies_bytes() else []
    assert [(rate["name"], rate["tiles"]) for rate in rates] == [
        (name, 3) for name in (builtin.FLOATS, *in_integers, "resnet18")
    ]
    assert all(rate["peak_rss"] > 2**20 for rate in rates)


def test_the_help_lists_every_benchmark() -> None:
    shown = run(app, ["--help"], env={"COLUMNS": "120"}).output
    for name in ("medgemma", "builtin", *OTHERS):
        assert name.replace("_", "-") in shown


def test_options_are_handed_on_to_the_benchmark_of_that_name() -> None:
    command = [sys.executable, "-m", "benchmarks", "costs", "--help"]
    done = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=True)
    assert "--cpu-seconds" in done.stdout


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.delitem(sys.modules, "benchmarks.attention", raising=False)
    done = run(app, ["attention"])
    assert done.exit_code == 77
    assert "openvino" in done.output
