from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from healer.cli import app
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
