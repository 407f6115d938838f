from __future__ import annotations

from pathlib import Path

from typer.testing import CliRunner

from healer.cli import app
from healer.engines.base import EngineInfo
from healer.screening import calibration
from healer.screening.calibration import MARGIN
from tests.cli.test_calibrate import INFO, described, given

run = CliRunner().invoke


def calibrated(folder: Path, count: int) -> Path:
    index, answers = given(folder, 1.0, 0.0, count)
    file = folder / "mine.json"
    options = ["--answers", str(answers), "--info", str(described(folder)), "--out", str(file)]
    result = run(app, ["calibrate", str(index), *options])
    assert result.exit_code == 0, result.output
    return calibration.reference_beside(file)


def test_it_lies_beside_the_calibration_and_is_of_the_same_engine(tmp_path: Path) -> None:
    info: EngineInfo = INFO
    found = calibration.load_reference(calibrated(tmp_path, 400), info)
    assert found is not None
    assert found.tiles == 400
    assert set(found.figures) == {MARGIN}  # the tiles themselves are not there


def test_one_of_other_tiles_does_not_outlive_their_calibration(tmp_path: Path) -> None:
    assert calibrated(tmp_path, 400).is_file()
    assert not calibrated(tmp_path, 90).exists()
