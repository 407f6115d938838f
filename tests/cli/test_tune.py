from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from typer.testing import CliRunner

from healer.cli import app
from healer.cli.tune import with_steps
from healer.engines.vlm.adapter import WEIGHTS, read_adapter
from healer.screening.calibration import CALIBRATION_FILE as CALIBRATION
from healer.screening.calibration import Calibration
from healer.weights.manifest import check_folder
from tests.gemma import make_checkpoint
from tests.tuning.tiles import write_tiles

run = CliRunner().invoke
RECIPE = "--rank 4 --learning-rate 5e-3 --epochs 2 --accumulation 2 --every 3 --resamples 20"
SIZE = "--train-tiles 60 --validation-tiles 24 --yes cancer"


pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("tune")
    make_checkpoint(folder / "model", taught=True)
    write_tiles(folder / "tiles", cases=14)
    return folder


Tune = Callable[..., tuple[int, str]]


@pytest.fixture
def tune(place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Tune]:
    monkeypatch.setenv("MODEL_DIR", "model")
    monkeypatch.setenv("HEALER_QUANTIZATION", "none")
    monkeypatch.setenv("HEALER_DEVICE", "cpu")
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.chdir(place)

    def command(*arguments: str) -> tuple[int, str]:
        words = [word for argument in arguments for word in argument.split()]
        result = run(app, ["tune", *words])
        return result.exit_code, result.output

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield command
    torch.set_num_threads(threads)


def test_from_tiles_to_a_served_adapter(tune: Tune, place: Path) -> None:
    code, output = tune("tiles --out run", RECIPE, SIZE)
    assert code == 0, output
    assert "Training: 60 tiles" in output
    assert "step 16/16: loss" in output
    figures = json.loads((place / "run" / "tuning.json").read_text(encoding="utf-8"))["figures"]
    assert figures["before"]["accuracy"]["value"] == 0.5
    assert figures["after"]["accuracy"]["value"] == 1.0
    assert figures["after"]["auroc"]["value"] == 1.0
    row = next(line for line in output.splitlines() if "accuracy, cut at a margin" in line)
    assert [cell.strip() for cell in row.split("│")[2:4]] == ["0.500", "1.000"]
    made = read_adapter(place / "run" / "adapter")
    fitted = Calibration.model_validate_json((place / "run/adapter" / CALIBRATION).read_bytes())
    assert fitted.binding.adapter == made.id
    assert fitted.fitted_on.dataset == "tiles-validation"
    assert "MODEL_ADAPTER=run/adapter" in output


def test_no_case_is_on_both_sides(place: Path) -> None:
    cases = []
    for part in ("train", "validation"):
        with (place / "run" / f"tiles-{part}.csv").open() as rows:
            cases.append({row["case_id"] for row in csv.DictReader(rows)})
    assert all(cases)
    assert cases[0].isdisjoint(cases[1])


def test_a_second_run_needs_resume_and_then_has_nothing_left(tune: Tune, place: Path) -> None:
    before = (place / "run" / "adapter" / WEIGHTS).read_bytes()
    code, output = tune("tiles --out run", RECIPE, SIZE)
    assert code == 63
    assert "--resume" in output
    code, output = tune("tiles --out run --resume", RECIPE, SIZE)
    assert code == 0, output
    assert "step " not in output
    assert (place / "run" / "adapter" / WEIGHTS).read_bytes() == before


def test_resuming_with_another_recipe_is_refused(tune: Tune) -> None:
    code, output = tune("tiles --out run --resume --seed 1", RECIPE, SIZE)
    assert code != 0
    assert "belong" in output or "another" in output


@pytest.mark.usefixtures("tune")
def test_the_tuned_model_answers(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODEL_ADAPTER", "run/adapter")
    tiles = [str(place / "tiles" / label / "0-0.png") for label in ("cancer", "benign")]
    result = run(app, ["predict", "--json", "--gate", "off", *tiles])
    answers = [json.loads(line) for line in result.stdout.splitlines()]
    assert [answer["verdict"] for answer in answers] == ["yes", "no"]
    assert all(answer["calibrated"] for answer in answers)
    assert answers[0]["model"]["adapter"] == read_adapter(place / "run/adapter").id


def test_merging(tune: Tune, place: Path) -> None:
    code, output = tune("--merge run/adapter --out merged")
    assert code == 0, output
    found = check_folder(place / "merged", deep=True)
    assert found.adapter == read_adapter(place / "run" / "adapter").id
    assert "MODEL_DIR=merged" in output


def test_a_dry_run_measures_and_saves_nothing(tune: Tune, place: Path) -> None:
    code, output = tune("tiles --out dry --dry-run 2 --train-tiles 32 --yes cancer")
    assert code == 0, output
    assert "s a step of 16 tiles" in output
    assert "GiB on cpu" in output
    assert list((place / "dry").iterdir()) == []


def test_a_dry_run_needs_no_number(tune: Tune, place: Path) -> None:
    code, output = tune("--dry-run tiles --out drier --train-tiles 32 --yes cancer")
    assert code == 0, output
    assert "s a step of 16 tiles" in output
    assert list((place / "drier").iterdir()) == []


@pytest.mark.parametrize(
    ("given", "taken"),
    [
        ("tiles --dry-run", "tiles --dry-run=3"),
        ("--dry-run tiles", "--dry-run=3 tiles"),
        ("tiles --dry-run --rank 4", "tiles --dry-run=3 --rank 4"),
        ("tiles --dry-run 10 --rank 4", "tiles --dry-run 10 --rank 4"),
        ("tiles --dry-run=10", "tiles --dry-run=10"),
        ("tiles --dry-run -1", "tiles --dry-run -1"),
        ("--dry-run -- --dry-run", "--dry-run=3 -- --dry-run"),
        ("tiles", "tiles"),
    ],
)
def test_what_stands_behind_dry_run_is_its_number_or_something_else(given: str, taken: str) -> None:
    assert with_steps(given.split()) == taken.split()


@pytest.mark.parametrize(
    "arguments",
    ["", "tiles --merge run/adapter --out x", "--merge run/adapter", "tiles --quantization 2bit"],
)
def test_commands_that_make_no_sense_are_refused(tune: Tune, arguments: str) -> None:
    assert tune(arguments)[0] == 2


def test_a_listed_tile_that_is_missing_stops_before_anything_is_learnt(
    tune: Tune, place: Path
) -> None:
    tiles = write_tiles(place / "holed", cases=4)
    (tiles / "cancer" / "0-0.png").unlink()
    code, output = tune("holed --out none --yes cancer")
    assert code == 51
    assert "1 of the 24 paths that holed lists name no file there (cancer/0-0.png)" in output
    assert not (place / "none").exists()


def test_what_was_left_out_is_reported_and_recorded(tune: Tune, place: Path) -> None:
    tiles = write_tiles(place / "littered", cases=6)
    (tiles / "index.csv").unlink()
    (tiles / ".Trash-1000").mkdir()
    (tiles / ".Trash-1000" / "old.png").touch()
    code, output = tune("littered --out dry2 --dry-run 1 --train-tiles 16 --yes cancer")
    assert code == 0, output
    assert "Left out: 1 hidden file, a picture (.Trash-1000)." in output


def test_too_few_cases(tune: Tune, place: Path) -> None:
    write_tiles(place / "few", cases=1)
    code, output = tune("few --out none --yes cancer")
    assert code == 61
    assert "two cases" in output
