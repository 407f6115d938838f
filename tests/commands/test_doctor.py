from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from healer.cli import app
from healer.commands.doctor import Outcome, ok, vision_attention
from healer.config import Settings
from healer.engines.openvino import attention
from healer.memory import limit_bytes

run = CliRunner().invoke


def test_a_fresh_machine_without_token_is_healthy() -> None:
    result = run(app, ["doctor"], env={"COLUMNS": "160"})
    assert result.exit_code == 0
    for name in ("Python", "memory", "disk", "devices", "hub access", "model folder", "engine"):
        assert name in result.stdout
    assert "no token: set MY_HF_TOKEN" in result.stdout
    assert "builtin (no finished MedGemma download" in result.stdout
    assert "FAILED" not in result.stdout.upper().replace("FAILED TO", "")


def test_an_unfinished_folder_fails_and_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HEALER_ENGINE", "medgemma")
    result = run(app, ["doctor"], env={"COLUMNS": "160"})
    assert result.exit_code == 1
    assert "failed" in result.stdout
    assert "Run `healer download`" in result.stdout


def test_a_containers_limit_is_what_counts(tmp_path: Path) -> None:
    limit = tmp_path / "memory.max"
    limit.write_text("1048576\n")
    assert limit_bytes((limit,)) == 1048576
    limit.write_text("max\n")
    assert limit_bytes((limit, tmp_path / "absent")) == limit_bytes(())


@pytest.mark.skipif(bool(attention.why_not()), reason=f"no kernel: {attention.why_not()}")
def test_says_that_the_vision_tower_takes_our_attention() -> None:
    assert vision_attention(Settings()) == ok("our own in the vision tower, in 16-bit integers")


@pytest.mark.parametrize(
    ("settings", "why"),
    [(Settings(), "it was not compiled"), (Settings(dtype="float32"), "HEALER_DTYPE=float32")],
)
def test_says_why_the_vision_tower_takes_openvinos_attention(
    settings: Settings, why: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(attention, "LIBRARY", tmp_path / "libattention.so")
    found = vision_attention(settings)
    assert found.outcome is Outcome.NOTE
    assert found.words.startswith(f"OpenVINO's own in the vision tower: {why}")
