from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from healer.engines.openvino import CONVERSION_FOLDER
from healer.engines.openvino.conversion_record import (
    check_conversion,
    read_conversion,
)

pytest.importorskip("openvino")
pytest.importorskip("torch")

from healer.cli import app
from healer.errors import ModelIncomplete
from tests.gemma import make_checkpoint

run = CliRunner().invoke


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_checkpoint(tmp_path_factory.mktemp("optimize") / "model")


def test_a_download_becomes_a_folder_in_it(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    result = run(app, ["optimize", str(model)])
    assert result.exit_code == 0, result.output
    assert "Language, layers: 7 of 7" in result.output
    assert "drawn nuclei" in result.output
    assert "Allowed: shift 0.25" in result.output
    assert "vision int8, language int8" in result.output
    assert check_conversion(model / CONVERSION_FOLDER, deep=True)


def test_verified_on_tiles_of_ones_own(model: Path, samples: list[Path], tmp_path: Path) -> None:
    command = ["optimize", str(model), "--out", str(tmp_path / "made"), "--weights", "int4"]
    result = run(app, [*command, "--tiles", str(samples[0].parent)])
    assert result.exit_code == 0, result.output
    record = read_conversion(tmp_path / "made")
    assert record.precision.language == "int4"
    assert {tile.tile for tile in record.parity.tiles} <= {path.name for path in samples}


def test_no_download_no_conversion(tmp_path: Path) -> None:
    result = run(app, ["optimize", str(tmp_path)])
    assert result.exit_code == ModelIncomplete.exit_code
    assert "healer download" in result.output
