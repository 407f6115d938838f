from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from structlog.testing import capture_logs
from typer.testing import CliRunner

from healer.cli import app, speed
from healer.cli.doctor import slide_libraries
from healer.engines.openvino import attention, kernels, products
from healer.hardware import memory_limit_bytes, processor
from healer.main import create_app
from healer.settings.loading import Settings
from healer.telemetry.logs import configure

run = CliRunner().invoke
SECONDS = re.compile(r"[\d.]+ (s|GiB)\b")  # differ from one run to the next


def test_a_fresh_machine_without_token_is_healthy() -> None:
    result = run(app, ["doctor"], env={"COLUMNS": "160"})
    assert result.exit_code == 0
    for name in (
        "Python",
        "settings",
        "memory",
        "disk",
        "devices",
        "hub access",
        "model folder",
        "whole slides",
        "engine",
    ):
        assert name in result.stdout
    assert "no token: set MY_HF_TOKEN" in result.stdout
    assert "builtin (no finished MedGemma download" in result.stdout
    assert "FAILED" not in result.stdout.upper().replace("FAILED TO", "")


def test_says_which_slide_libraries_are_there(monkeypatch: pytest.MonkeyPatch) -> None:
    file = pytest.importorskip("healer.slides.openslide_file", reason="needs healer[slides]")
    found = slide_libraries()
    assert (found.outcome, file.library_versions()["OpenSlide"] in found.detail) == ("OK", True)
    monkeypatch.setattr(file.openslide, "__library_version__", "3.4.1")
    assert slide_libraries().outcome == "failed"
    monkeypatch.setitem(sys.modules, "healer.slides.openslide_file", None)
    missing = slide_libraries()
    assert missing.outcome == "note"
    assert "pip install 'healer[slides]'" in missing.detail


def test_a_setting_that_serve_warns_of_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEALER_ENGNE", "builtin")
    result = run(app, ["doctor"], env={"COLUMNS": "160"})
    assert result.exit_code == 0
    (line,) = (line for line in result.stdout.splitlines() if line.startswith("settings"))
    assert " ".join(line.split()) == (
        "settings note no setting reads HEALER_ENGNE: did you mean HEALER_ENGINE?"
    )
    configure(Settings())
    with capture_logs() as logged:
        create_app()
    (warned,) = (each for each in logged if each["event"] == "no setting reads this variable")
    assert (warned["variable"], warned["hint"]) == ("HEALER_ENGNE", "did you mean HEALER_ENGINE?")


@pytest.mark.parametrize(("engine", "healthy"), [("auto", True), ("medgemma", False)])
def test_json_holds_what_the_table_shows(
    engine: str, healthy: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEALER_ENGINE", engine)
    monkeypatch.setenv("HEALER_ENGNE", "builtin")
    table = run(app, ["doctor"], env={"COLUMNS": "400"}).stdout
    result = run(app, ["doctor", "--json"])
    assert result.exit_code == (0 if healthy else 1)
    report = json.loads(result.stdout)
    assert report["healthy"] is healthy
    shown = [line.split(maxsplit=1)[0] for line in table.splitlines()]
    assert [check["name"].split()[0] for check in report["checks"]] == shown
    for check, line in zip(report["checks"], table.splitlines(), strict=True):
        columns = line[len(check["name"]) :].split()
        assert columns[0].lower() == check["outcome"]
        said, detail = " ".join(columns[1:]), check["detail"]
        assert SECONDS.sub("", said) == SECONDS.sub("", " ".join(detail.split()))
    outcomes = {check["name"]: check["outcome"] for check in report["checks"]}
    assert outcomes["settings"] == "note"
    assert outcomes["model folder"] == ("note" if healthy else "failed")


def test_an_unfinished_folder_fails_and_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEALER_ENGINE", "medgemma")
    result = run(app, ["doctor"], env={"COLUMNS": "160"})
    assert result.exit_code == 1
    assert "failed" in result.stdout
    assert "Run `healer download`" in result.stdout


def test_a_containers_limit_is_what_counts(tmp_path: Path) -> None:
    limit = tmp_path / "memory.max"
    limit.write_text("1048576\n")
    assert memory_limit_bytes((limit,)) == 1048576
    limit.write_text("max\n")
    assert memory_limit_bytes((limit, tmp_path / "absent")) == memory_limit_bytes(())


@pytest.mark.skipif(bool(attention.why_not()), reason=f"no kernel: {attention.why_not()}")
def test_says_that_the_vision_tower_takes_our_attention() -> None:
    used, words = attention.check_attention(Settings())
    assert used
    attends, *multiplies = words.split("; ")
    kinds = attention.WORDS.values()
    assert attends in [f"our own in the vision tower, in {kind}" for kind in kinds]
    assert bool(multiplies) == products.available()


def test_the_vision_tower_takes_the_attention_that_the_capped_processor_has(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    there = {kernel.label for kernel in attention.kernels()}
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX512_CORE_VNNI")
    assert {kernel.label for kernel in attention.kernels()} == there - {"bfloat16"}
    monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", "AVX2")
    assert attention.kernels() == []
    assert not attention.check_attention(Settings())[0]


@pytest.mark.parametrize(
    ("settings", "why"),
    [(Settings(), "it was not compiled"), (Settings(dtype="float32"), "HEALER_DTYPE=float32")],
)
def test_says_why_the_vision_tower_takes_openvinos_attention(
    settings: Settings, why: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(kernels, "LIBRARY", tmp_path / "libkernels.so")
    as_fast_as_it_gets, words = attention.check_attention(settings)
    assert not as_fast_as_it_gets
    assert words.startswith(f"OpenVINO's own in the vision tower: {why}")


def test_speed_is_measured_on_request_and_reported_in_figures_and_in_words(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(speed, "SECONDS", 0.0)
    result = run(app, ["doctor", "--speed", "--json"])
    assert result.exit_code == 0
    check = json.loads(result.stdout)["checks"][-1]
    assert (check["name"], check["outcome"]) == ("speed", "ok")
    measured = check["speed"]
    assert measured["engine"] == "builtin"
    assert measured["processor"] == processor()[0]
    assert measured["seconds_per_verdict"] > 0
    if measured["seconds_per_verdict"] < 1:
        assert measured["tiles_per_second"] > 0
        assert measured["verdicts"] == 2 + 2 * speed.BATCH
    assert f"{measured['seconds_per_verdict']:.3g} s a verdict" in check["detail"]
    assert measured["processor"] in check["detail"]


def test_the_tiles_that_are_timed_differ() -> None:
    rng = np.random.default_rng(0)
    assert (speed.new_tile(rng).pixels != speed.new_tile(rng).pixels).any()
