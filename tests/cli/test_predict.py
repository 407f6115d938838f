from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from healer.answer import Prediction
from healer.cli import app
from healer.display import printable
from healer.errors import AddressNotFile, FolderWithoutImages, OutputNotWritable
from healer.files.walk import walk, walk_all
from healer.problem import Problem

run = CliRunner().invoke


@pytest.fixture(autouse=True)
def _no_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """Names are whole unless COLUMNS bounds a row, which the caller's shell may have set."""
    monkeypatch.delenv("COLUMNS", raising=False)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HEALER_GATE", "off")  # these pictures are no histology
    (tmp_path / "deep").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (60, 80), np.uint8)
    Image.fromarray(noise).convert("RGB").save(tmp_path / "b.png")
    Image.new("RGB", (300, 200), "pink").save(tmp_path / "deep" / "a.JPG")
    (tmp_path / "notes.txt").write_text("not a tile")
    return tmp_path


def lines(output: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in output.splitlines()]


def test_folders_are_walked_for_images_and_files_taken_as_they_are(folder: Path) -> None:
    notes = folder / "notes.txt"
    assert walk_all([notes, folder]).files == [
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


def test_what_is_left_out_of_a_folder_is_reported_in_one_line_beside_the_answers(
    folder: Path,
) -> None:
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
        output = done.stdout.decode("utf-8")
        if options:
            paths = {str(line["path"]) for line in lines(output)}
            assert paths == {str(path) for path in walk(folder).files}
        else:
            assert r"M\xfcller\x1b[2J.png" in output
            assert "a.JPG" in output


def test_a_row_a_tile_otherwise_and_a_count_of_them(folder: Path) -> None:
    result = run(app, ["predict", str(folder), str(folder / "notes.txt")])
    assert result.exit_code == 1
    *rows, empty, count, notice = result.stdout.splitlines()
    assert [line.split()[-1] for line in rows] == [
        str(folder / "b.png"),
        str(folder / "deep" / "a.JPG"),
        str(folder / "notes.txt"),
    ]
    assert all(" %  " in line for line in rows[:2])
    assert rows[2].split()[:5] == ["refused", "–", "not", "an", "image"]
    assert empty == ""
    assert count.endswith(", 1 refused")
    assert notice.startswith("Research use only")
    assert result.stderr == "Left out: 1 file in another format (.txt).\n"


def test_the_samples_fit_eighty_columns_and_are_counted(samples: list[Path]) -> None:
    result = run(app, ["predict", *map(str, samples)], env={"COLUMNS": "80"})
    lines = result.stdout.splitlines()
    assert lines[34:36] == ["", "24 no, 1 indeterminate, 5 yes, 4 refused"]
    assert max(map(len, lines)) <= 80
    assert [line.split()[-1][-8:] for line in lines[:34]] == [path.name[-8:] for path in samples]
    (tumour,) = (line for line in lines if line.endswith("tumor-1AB.png"))
    assert tumour.split()[:3] == ["yes", "99.1", "%"]
    (glass,) = (line for line in lines if line.endswith("BACK-AAQSHYMA.png"))
    assert glass.split()[:4] == ["refused", "–", "no", "tissue"]


def test_explain_adds_the_sentences(data_dir: Path) -> None:
    tile = data_dir / "ebhi-seg" / "high-grade-in" / "GT2012149-3-400-004.jpg"
    row, *output = run(app, ["predict", "--explain", str(tile)]).stdout.splitlines()
    assert row.split()[0] == "indeterminate"
    assert "high-grade" in row
    assert row.endswith(tile.name)
    opening = (
        "    Cannot be read as cancer or as no cancer. Most likely classes: high-grade neoplasia "
    )
    assert output[0].startswith(opening)
    last = "    Invasive cancer neither read nor excluded; high-grade neoplasia likely."
    assert output[2] == last


def test_a_folder_without_images_is_reported(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("not a tile")
    result = run(app, ["predict", str(tmp_path)])
    assert result.exit_code == FolderWithoutImages.exit_code == 30
    assert f"No picture was found in {tmp_path}" in result.stderr
    assert result.stdout == ""


def test_an_address_is_reported_and_how_to_have_it_answered() -> None:
    result = run(app, ["predict", "https://example.org/a.png"])
    assert result.exit_code == AddressNotFile.exit_code == 30
    assert "Healer fetches no pictures" in result.stderr
    assert "curl -fsSL https://example.org/a.png | healer predict -" in result.stderr


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("HTTPS://example.org/" + "a" * 5000, "address_not_file"),
        ("data:image/png;base64," + "A" * 9000, "address_not_file"),
        ("s3://bucket/a.png", "address_not_file"),
        ("a" * 5000 + ".png", "file_not_readable"),
    ],
    ids=lambda value: value[:20],
)
def test_a_path_that_none_can_be_is_reported(folder: Path, path: str, code: str) -> None:
    output = lines(run(app, ["predict", "--json", path, str(folder / "b.png")]).stdout)
    assert [line.get("code") for line in output] == [code, None]


def test_they_cost_the_others_nothing(folder: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    paths = ["https://example.org/a.png", str(empty), str(folder / "b.png")]
    result = run(app, ["predict", "--json", *paths])
    assert result.exit_code == 1
    assert [line["path"] for line in lines(result.stdout)] == paths
    assert [line.get("code") for line in lines(result.stdout)] == [
        "address_not_file",
        "folder_without_images",
        None,
    ]
    shown = run(app, ["predict", *paths])
    assert shown.stdout.count("Healer fetches no pictures") == 1
    assert shown.stdout.count("No picture was found in") == 1


def test_standard_input_is_one_picture(folder: Path) -> None:
    data = (folder / "b.png").read_bytes()
    result = run(app, ["predict", "--json", "-"], input=data)
    assert result.exit_code == 0
    (answer,) = lines(result.stdout)
    assert answer.pop("path") == "-"
    assert Prediction.model_validate(answer).tile.width == 80
    shown = run(app, ["predict", "-", str(folder / "b.png")], input=data)
    assert shown.stdout.splitlines()[0].endswith("standard input")
    assert run(app, ["predict", "-", "-"], input=data).exit_code == 2


@pytest.mark.parametrize(("data", "code"), [(b"", "empty_file"), (b"x" * 2000, "too_many_bytes")])
def test_standard_input_is_bounded(monkeypatch: pytest.MonkeyPatch, data: bytes, code: str) -> None:
    monkeypatch.setenv("HEALER_MAX_BYTES", "1024")
    result = run(app, ["predict", "--json", "-"], input=data)
    assert result.exit_code == 1
    assert lines(result.stdout)[0]["code"] == code


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_csv_goes_to_a_file_beside_the_rows(folder: Path, tmp_path: Path) -> None:
    file = tmp_path / "answers.csv"
    file.write_text("of an earlier run\n" * 100)
    (folder / "=1+1.png").write_bytes((folder / "b.png").read_bytes())
    result = run(app, ["predict", str(folder), str(folder / "absent.png"), "--csv", str(file)])
    assert len(result.stdout.splitlines()) == 4 + 3
    formula, noise, pink, absent = table(file.read_text(encoding="utf-8"))
    assert [row["path"] for row in (formula, noise, pink, absent)] == [
        str(folder / name) for name in ("=1+1.png", "b.png", "deep/a.JPG", "absent.png")
    ]
    assert noise["verdict"] in ("no", "indeterminate", "yes")
    assert 0 <= float(noise["probability"]) <= 1
    assert noise["calibrated"] == "true"
    assert noise["engine"] == "builtin"
    assert "Most likely classes: " in noise["explanation"]
    assert noise["error_code"] == ""
    assert noise["second_sentence"]
    assert (absent["verdict"], absent["error_code"]) == ("", "file_not_readable")


def test_csv_may_be_what_is_printed(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    (folder / "=1+1.png").write_bytes((folder / "b.png").read_bytes())
    rows = table(run(app, ["predict", "=1+1.png", "b.png", "--csv", "-"]).stdout)
    assert [row["path"] for row in rows] == ["'=1+1.png", "b.png"]  # no formula


def test_quiet_leaves_only_the_answers(folder: Path, tmp_path: Path) -> None:
    shown = run(app, ["predict", "--quiet", str(folder)])
    assert len(shown.stdout.splitlines()) == 2
    file = tmp_path / "answers.csv"
    written = run(app, ["predict", "-q", str(folder), "--csv", str(file)])
    assert (written.exit_code, written.output) == (0, "")
    assert len(table(file.read_text(encoding="utf-8"))) == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["--csv", "b.png"],  # a slip that would write over a picture
        ["--json", "--csv", "-"],
        ["--output", "a.parquet"],
        ["--ray-address", "auto"],
    ],
)
def test_what_does_not_go_together_is_reported(folder: Path, arguments: list[str]) -> None:
    result = run(app, ["predict", str(folder / "b.png"), *arguments])
    assert result.exit_code == 2
    assert "Traceback" not in result.output


@pytest.mark.parametrize("option", ["--json", "--explain", "--csv=a.csv"])
def test_what_does_not_go_with_an_archive_is_reported(folder: Path, option: str) -> None:
    arguments = ["predict", "--input", str(folder), "--output", "a.parquet", option]
    assert run(app, arguments).exit_code == 2


def test_a_csv_file_that_cannot_be_written_is_reported_before_a_model_is_loaded(
    folder: Path, tmp_path: Path
) -> None:
    csv_file = str(tmp_path / "absent" / "a.csv")
    result = run(app, ["predict", "--engine", "medgemma", str(folder), "--csv", csv_file])
    assert result.exit_code == OutputNotWritable.exit_code == 30
    assert "a.csv cannot be written: No such file or directory" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("name", [b"f\xe4rbung.png", b"two\nlines.png", b"\x1b[2Jclear.png"])
def test_a_name_of_any_bytes_is_printed_escaped_and_comes_back_in_json(
    folder: Path, tmp_path: Path, name: bytes
) -> None:
    place = tmp_path / "odd"
    place.mkdir()
    path = place / os.fsdecode(name)
    path.write_bytes((folder / "b.png").read_bytes())
    shown = run(app, ["predict", str(place), "--csv", str(tmp_path / "a.csv")])
    assert shown.exit_code == 0
    assert shown.stdout.splitlines()[0].endswith(printable(path))
    assert table((tmp_path / "a.csv").read_text(encoding="utf-8"))[0]["path"] == printable(path)
    result = run(app, ["predict", "--json", str(place)])
    assert len(result.stdout.splitlines()) == 1
    assert os.fsencode(str(lines(result.stdout)[0]["path"])) == os.fsencode(path)


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


def test_the_gate_can_be_set_to_warn(samples: list[Path]) -> None:
    glass = next(path for path in samples if "BACK" in path.name)
    result = run(app, ["predict", "--json", "--gate", "warn", str(glass)])
    assert result.exit_code == 0
    (answer,) = lines(result.stdout)
    assert Prediction.model_validate(answer).gate is not None
    assert answer["gate"]["passed"] is False  # type: ignore[index]


def test_one_page_of_several_is_chosen(samples: list[Path], tmp_path: Path) -> None:
    first, second = (Image.open(path) for path in samples[:2])
    both = tmp_path / "both.tif"
    first.save(both, save_all=True, append_images=[second])
    (refused,) = lines(run(app, ["predict", "--json", str(both)]).stdout)
    assert "--page N" in str(refused["detail"])
    result = run(app, ["predict", "--json", "--gate", "off", "--page", "2", str(both)])
    (alone,) = lines(run(app, ["predict", "--json", "--gate", "off", str(samples[1])]).stdout)
    (chosen,) = lines(result.stdout)
    assert result.exit_code == 0
    assert chosen["probability"] == alone["probability"]
    assert chosen["tile"]["page"] == 2  # type: ignore[index]
