from __future__ import annotations

import csv
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from healer.cli import app
from healer.cli.calibrate_run import calibrate, default_place
from healer.cli.evaluate_run import EvaluationRequest
from healer.engines.base import EngineInfo
from healer.errors import CalibrationMismatch, NotCalibratable
from healer.screening import calibration
from healer.screening.screener import Screener
from healer.settings.loading import load_settings
from tests.evaluation.tiles import foldered, indexed
from tests.fake_engine import FakeEngine

run = CliRunner().invoke
INFO = EngineInfo(
    engine="medgemma",
    model_id="google/medgemma-4b-it",
    revision="290cda5",
    device="cpu",
    dtype="bfloat16",
    quantization="8bit",
    prompt_id="p1",
    preprocessing_id="q1",
)


def described(folder: Path, **changes: str) -> Path:
    file = folder / "info.json"
    file.write_text(json.dumps(asdict(INFO) | changes))
    return file


def given(folder: Path, slope: float, intercept: float, count: int = 3000) -> tuple[Path, Path]:
    """An index of tiles that are not there, and margins of a known slope and intercept."""
    rng = np.random.default_rng(0)
    margins = rng.normal(0, 4, count)
    truth = rng.random(count) < 1 / (1 + np.exp(-(slope * margins + intercept)))
    index, answers = folder / "index.csv", folder / "given.csv"
    with index.open("w", newline="") as tiles, answers.open("w", newline="") as out:
        predictions, known = csv.writer(out), csv.writer(tiles)
        known.writerow(["path", "label", "case_id"])
        predictions.writerow(["path", "shift", "margin", "mass"])
        for at, (margin, yes) in enumerate(zip(margins, truth, strict=True)):
            known.writerow([f"{at}.png", "TUM" if yes else "NORM", f"case {at // 10}"])
            predictions.writerow([f"{at}.png", "none", margin, 1.0])
    return index, answers


def test_a_known_slope_and_intercept_reach_the_file(tmp_path: Path) -> None:
    index, answers = given(tmp_path, 0.5, -1.0)
    file = tmp_path / "out.json"
    options = ["--answers", str(answers), "--info", str(described(tmp_path)), "--out", str(file)]
    result = run(app, ["calibrate", str(index), *options], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    found = calibration.load_calibration(file, INFO)
    assert found.slope == pytest.approx(0.5, abs=0.04)
    assert found.intercept == pytest.approx(-1, abs=0.12)
    assert 0 < found.lower < found.upper < 1
    assert found.fitted_on.cases == 300
    assert found.figures["platt_ece"] < 0.04 < found.figures["as_it_comes_ece"]
    assert found.figures["yes_called_no"] < 0.08
    for words in ("Platt", "temperature", "batch", found.id, "indeterminate"):
        assert words in result.stdout
    assert result.stdout.count("Research use only") == 1


def test_the_file_serves_only_what_it_was_fitted_for(tmp_path: Path) -> None:
    index, answers = given(tmp_path, 1.0, 0.0, 400)
    file = tmp_path / "out.json"
    options = ["--answers", str(answers), "--info", str(described(tmp_path)), "--out", str(file)]
    assert run(app, ["calibrate", str(index), *options]).exit_code == 0
    with pytest.raises(CalibrationMismatch, match="engine medgemma"):
        calibration.load_calibration(file, FakeEngine.info)


def test_answers_that_hardly_were_any_are_left_out(tmp_path: Path) -> None:
    index, answers = given(tmp_path, 1.0, 0.0, 400)
    lines = answers.read_text(encoding="utf-8").splitlines()
    answers.write_text("\n".join([*lines[:-7], *(f"{x[:-3]}0.1" for x in lines[-7:])]) + "\n")
    options = ["--answers", str(answers), "--info", str(described(tmp_path))]
    result = run(app, ["calibrate", str(index), *options, "--out", str(tmp_path / "x.json")])
    assert result.exit_code == 0, result.output
    assert "7 tiles left out" in result.stdout


def test_a_model_worse_than_chance_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    index, answers = given(tmp_path, -1.0, 0.0, 400)
    options = ["--answers", str(answers), "--info", str(described(tmp_path))]
    result = run(app, ["calibrate", str(index), *options, "--out", str(tmp_path / "x.json")])
    assert result.exit_code == 49
    assert "no better than chance" in result.stderr
    assert not (tmp_path / "x.json").exists()


def test_answers_of_nobody_are_refused(tmp_path: Path) -> None:
    index, answers = given(tmp_path, 1.0, 0.0, 100)
    result = run(app, ["calibrate", str(index), "--answers", str(answers)])
    assert result.exit_code == 49
    assert "--engine or --info" in result.stderr


def test_an_info_that_describes_no_engine_is_reported(tmp_path: Path) -> None:
    index, answers = given(tmp_path, 1.0, 0.0, 100)
    (tmp_path / "info.json").write_text('{"engine": {"model_id": "m"}}')
    options = ["--answers", str(answers), "--info", str(tmp_path / "info.json")]
    result = run(app, ["calibrate", str(index), *options])
    assert result.exit_code == 48
    assert "describes no engine" in result.stderr


def test_an_engine_is_run_and_its_calibration_loads(tmp_path: Path) -> None:
    tiles = indexed(tmp_path / "tiles", cases=20, each=4)
    request = EvaluationRequest(dataset=str(tiles), shifts=False, out=tmp_path / "run")
    file = calibrate(load_settings(), request, tmp_path / "c.json", Screener(FakeEngine()))
    found = calibration.load_calibration(file, FakeEngine.info)
    assert found.fitted_on.tiles == 80
    assert found.fitted_on.dataset == "tiles"


def test_too_few_tiles_are_refused(tmp_path: Path) -> None:
    request = EvaluationRequest(
        dataset=str(foldered(tmp_path / "t", each=5)), shifts=False, out=tmp_path
    )
    with pytest.raises(NotCalibratable, match="5 tiles are yes, and 10 are needed"):
        calibrate(load_settings(), request, None, Screener(FakeEngine()))


def test_medgemmas_calibration_goes_where_healer_looks_for_it(tmp_path: Path) -> None:
    settings = load_settings(model_dir=tmp_path / "model")
    assert default_place(settings, INFO) == tmp_path / "model" / calibration.CALIBRATION_FILE
    assert default_place(settings, FakeEngine.info) == Path(calibration.CALIBRATION_FILE)
