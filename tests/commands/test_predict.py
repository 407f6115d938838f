from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from typer.testing import CliRunner

from healer.cli import app
from healer.outcomes import find_images
from healer.serving.schemas import Prediction, Problem

run = CliRunner().invoke


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HEALER_GATE", "off")  # these pictures are no histology
    (tmp_path / "deep").mkdir()
    Image.effect_noise((80, 60), 60).convert("RGB").save(tmp_path / "b.png")
    Image.new("RGB", (300, 200), "pink").save(tmp_path / "deep" / "a.JPG")
    (tmp_path / "notes.txt").write_text("not a tile")
    return tmp_path


def lines(output: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in output.splitlines()]


def test_folders_are_walked_for_images_and_files_taken_as_they_are(folder: Path) -> None:
    notes = folder / "notes.txt"
    assert list(find_images([notes, folder])) == [
        notes,
        folder / "b.png",
        folder / "deep" / "a.JPG",
    ]


def test_json_is_one_object_a_line_in_the_http_schema(folder: Path) -> None:
    result = run(app, ["predict", "--json", "--engine", "builtin", str(folder)])
    assert result.exit_code == 0
    answers = lines(result.stdout)
    assert [Path(str(answer.pop("path"))).name for answer in answers] == ["b.png", "a.JPG"]
    for answer in answers:
        assert Prediction.model_validate(answer).model.engine == "builtin"


def test_a_bad_file_gets_its_problem_in_its_place_and_loses_nothing(folder: Path) -> None:
    paths = [folder / "notes.txt", folder / "b.png", folder / "absent.png"]
    result = run(app, ["predict", "--json", *map(str, paths)])
    assert result.exit_code == 1
    bad, good, absent = lines(result.stdout)
    assert Problem.model_validate(bad).code == "not_an_image"
    assert bad["path"] == str(paths[0])
    assert Prediction.model_validate(good)
    assert Problem.model_validate(absent).code == "file_not_readable"
    assert "No such file" in str(absent["detail"])


def test_what_is_left_out_of_a_folder_is_said_in_one_line_beside_the_answers(folder: Path) -> None:
    (folder / ".Trash-1000").mkdir()
    (folder / ".Trash-1000" / "old.png").touch()
    (folder / "x.tif").mkdir()
    for options in ([], ["--json"]):
        result = run(app, ["predict", *options, str(folder)], env={"COLUMNS": "60"})
        assert result.exit_code == 0
        assert (
            "Left out: 1 hidden file, a picture (.Trash-1000); 1 file in another format (.txt)."
            in (result.stderr.splitlines())
        )
        assert "old.png" not in result.stdout
        assert "x.tif" not in result.stdout


def test_a_folder_of_hidden_files_only_says_so(tmp_path: Path) -> None:
    (tmp_path / "._a.png").touch()
    result = run(app, ["predict", str(tmp_path)])
    assert result.exit_code == 30
    assert "Left out: 1 hidden file, a picture (._a.png)." in result.stderr


def test_names_that_are_no_utf_8_cost_no_answer(folder: Path) -> None:
    """On a real, strict standard output."""
    (folder / "b.png").rename(folder / "M\udcfcller\x1b[2J.png")
    command = [sys.executable, "-m", "healer", "predict", "--engine", "builtin"]
    for options in (["--json"], []):
        environment = {**os.environ, "PYTHONIOENCODING": "utf-8:strict", "COLUMNS": "200"}
        done = subprocess.run(
            [*command, *options, str(folder)], capture_output=True, check=False, env=environment
        )
        assert done.returncode == 0, done.stderr
        told = done.stdout.decode("utf-8")
        if options:
            paths = {str(line["path"]) for line in lines(told)}
            assert paths == {str(path) for path in find_images([folder])}
        else:
            assert r"M\xfcller\x1b[2J.png" in told
            assert "a.JPG" in told


def test_a_table_otherwise(folder: Path) -> None:
    result = run(app, ["predict", str(folder)], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    assert "b.png" in result.stdout
    assert "%" in result.stdout
    assert result.stdout.count("Research use only") == 1


def test_a_folder_without_images_is_said(tmp_path: Path) -> None:
    result = run(app, ["predict", str(tmp_path)])
    assert result.exit_code == 30
    assert "no image was found there" in result.stderr


def test_a_bad_setting_stops_with_its_sentence(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HEALER_MAX_PIXELS", "few")
    result = run(app, ["predict", str(folder)])
    assert result.exit_code == 2
    assert "HEALER_MAX_PIXELS cannot be used" in result.stderr
    assert "Traceback" not in result.output


def test_an_unfinished_model_folder_stops_medgemma(folder: Path) -> None:
    result = run(app, ["predict", "--engine", "medgemma", str(folder)])
    assert result.exit_code == 21
    assert "healer download" in result.stderr


def test_every_real_sample_is_answered_but_bare_glass(samples: list[Path]) -> None:
    result = run(app, ["predict", "--json", *map(str, samples)])
    answers = lines(result.stdout)
    refused = {Path(str(answer["path"])).name for answer in answers if "code" in answer}
    assert len(answers) == len(samples) == 34
    assert refused == {path.name for path in samples if "empty" in path.name or "BACK" in path.name}
    assert result.exit_code == 1


def test_the_gate_can_be_told_to_warn(samples: list[Path]) -> None:
    glass = next(path for path in samples if "BACK" in path.name)
    result = run(app, ["predict", "--json", "--gate", "warn", str(glass)])
    assert result.exit_code == 0
    (answer,) = lines(result.stdout)
    assert Prediction.model_validate(answer).gate is not None
    assert answer["gate"]["passed"] is False  # type: ignore[index]
