from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner

from healer import NOTICE
from healer.cli import app
from healer.cli.evaluate_run import RUNS, EvaluationRequest, evaluate, unfinished
from healer.engines.builtin.engine import MODEL_FOLDER, NETWORK, BuiltinEngine
from healer.evaluation.compare import compare
from healer.evaluation.datasets import Files, Limits, read_dataset
from healer.evaluation.predictions import Journal, binding_of
from healer.evaluation.published import LabelMapping
from healer.evaluation.shifts import SHIFTS
from healer.screening.screener import Screener
from healer.settings.loading import load_settings
from tests.evaluation.tiles import foldered, indexed
from tests.fake_engine import FakeEngine

run = CliRunner().invoke
WIDE = {"COLUMNS": "200"}
needs_model = pytest.mark.skipif(
    not (MODEL_FOLDER / NETWORK).is_file(), reason="the built-in model is not here"
)


def fake(tiles: Path, out: Path | None = None, resamples: int = 40) -> Path:
    request = EvaluationRequest(dataset=str(tiles), out=out, resamples=resamples)
    return evaluate(load_settings(), request, Screener(FakeEngine()))


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("done")
    return fake(indexed(folder / "tiles", cases=12), folder / "run")


class ExternalReferences(HTMLParser):
    """Everything a page would fetch, and where its links lead."""

    def __init__(self) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        assert tag not in ("script", "link", "iframe", "object")
        self.fetched += [given[name] for name in ("src", "srcset", "data") if name in given]
        if tag == "a":
            self.links.append(given["href"])


def test_everything_is_written(done: Path) -> None:
    assert {file.name for file in done.iterdir()} == {
        *("answers.csv", "answers.jsonl", "results.json", "report.html", "run.json"),
        *("roc.png", "reliability.png", "risk-coverage.png", "classes.png", "shifts.png"),
    }
    results = json.loads((done / "results.json").read_text(encoding="utf-8"))
    assert list(results["figures"]) == list(SHIFTS) == list(results["baseline"])
    assert results["dataset"]["tiles"] == 48
    assert results["dataset"]["cases"] == 12
    assert results["engine"]["model_id"] == "healer/fake"
    assert results["notice"] == NOTICE
    area = results["figures"]["none"]["auroc"]
    assert area["low"] <= area["value"] <= area["high"]
    assert sum(results["confusion"]["polyp"].values()) == 24
    assert set(results["against_each_class"]) == {"polyp"}


def test_every_answer_is_in_the_csv(done: Path) -> None:
    with (done / "answers.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 48 * len(SHIFTS)
    assert {row["verdict"] for row in rows} <= {"yes", "no"}
    assert {row["case_id"] for row in rows} == {f"case-{at}" for at in range(12)}
    assert all(float(row["seconds"]) >= 0 for row in rows)


def test_the_report_requests_nothing_from_the_network(done: Path) -> None:
    page = (done / "report.html").read_text(encoding="utf-8")
    found = ExternalReferences()
    found.feed(page)
    assert len(found.fetched) == 5
    assert all(source.startswith("data:image/png;base64,") for source in found.fetched)
    assert found.links == []
    assert not re.search(r"url\(|@import|https?://", page)
    assert page.count(NOTICE) == 1
    assert "default-src 'none'" in page


def test_a_known_datasets_licence_and_page_are_in_the_report(tmp_path: Path) -> None:
    tiles = foldered(tmp_path / "ebhi-seg", each=4)
    found = ExternalReferences()
    found.feed((fake(tiles, tmp_path / "run") / "report.html").read_text(encoding="utf-8"))
    assert found.links == ["https://figshare.com/articles/dataset/EBHI-SEG/21540159"]


def test_names_from_a_dataset_cannot_become_markup(tmp_path: Path) -> None:
    tiles = foldered(tmp_path / "x<b>y", each=3)
    (tiles / "normal").rename(tiles / "<img src=x>")
    request = EvaluationRequest(
        str(tiles), yes=("adenocarcinoma",), out=tmp_path / "run", resamples=5
    )
    page = evaluate(load_settings(), request, Screener(FakeEngine())) / "report.html"
    found = ExternalReferences()
    found.feed(page.read_text(encoding="utf-8"))
    assert all(source.startswith("data:") for source in found.fetched)


def test_what_was_left_out_missing_or_refused_is_reported_everywhere(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiles = foldered(tmp_path / "tiles", each=4)
    (tiles / ".Trash-1000").mkdir()
    (tiles / ".Trash-1000" / "old.png").touch()
    (tiles / "normal" / "000.png").write_bytes(b"no picture")
    results = json.loads((fake(tiles, tmp_path / "run") / "results.json").read_text("utf-8"))
    printed = " ".join(capsys.readouterr().out.split())
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert results["dataset"]["files_left_out"] == {"hidden": 1}
    assert set(results["confusion"]) == {"adenocarcinoma", "normal"}
    for note in (
        "Left out: 1 hidden file, a picture (.Trash-1000).",
        "1 of 8 tiles have no margin and take no part in the figures: 1 not_an_image.",
    ):
        assert note in results["notes"]
        assert note in printed
        assert note in page


def test_a_list_whose_paths_name_nothing_is_counted_or_stops(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiles = foldered(tmp_path / "tiles", each=4)
    index = tiles / "index.csv"
    rows = [f"normal\\00{at}.png,normal" for at in range(4)]
    rows += [f"adenocarcinoma\\00{at}.png,adenocarcinoma" for at in range(3)]
    index.write_text("\n".join(["Path,Label", *rows, "tumour\\9.png,adenocarcinoma"]))
    results = json.loads((fake(tiles, tmp_path / "run") / "results.json").read_text("utf-8"))
    assert results["dataset"]["answered"] == 7
    assert results["dataset"]["missing"] == 1
    note = r"1 of 8 listed paths name no file there (tumour\9.png)."
    assert note in results["notes"]
    assert note in " ".join(capsys.readouterr().out.split())
    index.write_text("path,label\nelsewhere/0.png,normal\nelsewhere/1.png,adenocarcinoma\n")
    stopped = run(app, ["eval", str(tiles), "--engine", "builtin"])
    assert stopped.exit_code == 51
    assert "2 of the 2 paths that tiles lists name no file there (elsewhere/0.png, else" in (
        stopped.stderr
    )


def test_names_and_classes_that_are_no_utf_8_are_evaluated_and_shown_escaped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tiles = foldered(tmp_path / "d\udcfc", each=4)
    (tiles / "normal").rename(tiles / "n\udcff")
    (tiles / "n\udcff" / "000.png").rename(tiles / "n\udcff" / "M\udcfcller.png")
    request = EvaluationRequest(
        str(tiles), yes=("adenocarcinoma",), out=tmp_path / "run", resamples=5
    )
    folder = evaluate(load_settings(), request, Screener(FakeEngine()))
    assert evaluate(load_settings(), request, Screener(FakeEngine())) == folder
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    assert results["dataset"]["name"] == r"d\xfc"
    assert results["dataset"]["answered"] == 8
    assert set(results["confusion"]) == {"adenocarcinoma", r"n\xff"}
    assert r"n\xff" in capsys.readouterr().out
    assert r"n\xff" in (folder / "report.html").read_text(encoding="utf-8")
    with (folder / "answers.csv").open(newline="", encoding="utf-8") as file:
        paths = {row["path"] for row in csv.DictReader(file)}
    assert r"n\xff/M\xfcller.png" in paths
    assert not compare(folder, folder, 5).changed


def test_answers_of_no_tile_are_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tiles = foldered(tmp_path / "tiles", each=3)
    given = tmp_path / "given.csv"
    names = [f"{label}/00{at}.png" for label in ("normal", "adenocarcinoma") for at in range(3)]
    given.write_text("\n".join(["path,margin", *(f"{name},1" for name in names), "x/y.png,1"]))
    request = EvaluationRequest(str(tiles), answers=given, out=tmp_path / "run", resamples=5)
    results = json.loads((evaluate(load_settings(), request) / "results.json").read_text("utf-8"))
    note = "Paths in the file of answers that are of no tile evaluated here: 1 (x/y.png)."
    assert note in results["notes"]
    assert note in " ".join(capsys.readouterr().out.split())


def test_tiles_without_cases_are_reported_to_have_none(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fake(foldered(tmp_path / "tiles", each=6), tmp_path / "run")
    assert "taken as its own case" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(("labels", "each"), [(["normal"], 3), (["adenocarcinoma"], 1)])
def test_degenerate_datasets_give_reasons_not_a_crash(
    tmp_path: Path, labels: list[str], each: int, capsys: pytest.CaptureFixture[str]
) -> None:
    tiles = foldered(tmp_path / "tiles", each=each)
    for folder in tiles.iterdir():
        if folder.name not in labels:
            for file in folder.iterdir():
                file.unlink()
            folder.rmdir()
    out = fake(tiles, tmp_path / "run")
    assert (out / "report.html").is_file()
    printed = " ".join(capsys.readouterr().out.split())
    assert "— (every tile is" in printed
    assert "No colour baseline: each answer needs at least two cases" in printed


def test_unreadable_tiles_only(tmp_path: Path) -> None:
    tiles = foldered(tmp_path / "tiles", each=2)
    for file in tiles.rglob("*.png"):
        file.write_bytes(b"no picture")
    results = json.loads(
        (fake(tiles, tmp_path / "run") / "results.json").read_text(encoding="utf-8")
    )
    assert results["refusals"] == {"not_an_image": 4}
    assert results["figures"]["none"]["auroc"]["reason"] == "no tile was answered"


def test_a_stopped_run_is_found_again_without_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    tiles = foldered(tmp_path / "tiles", each=4)
    dataset = read_dataset(tiles, LabelMapping())
    binding = binding_of(dataset, FakeEngine.info, list(SHIFTS))
    stopped = RUNS / "tiles-fake-20200101-000000"
    Journal(stopped, binding)
    assert unfinished(binding) == stopped
    assert fake(tiles) == stopped
    assert unfinished(binding) is None
    assert fake(tiles) != stopped


def given(tiles: Path, file: Path, wrong: int = 0) -> Path:
    """Answers that are right but for the first `wrong` of them."""
    dataset = read_dataset(tiles, LabelMapping())
    with file.open("w", encoding="utf-8", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(["path", "label", "case_id", "shift", "margin", "mass"])
        for at, item in enumerate(dataset.items):
            margin = (2.0 + at / 100) * (1 if item.positive else -1) * (-1 if at < wrong else 1)
            rows.writerow([item.path, item.label, item.case_id, "none", margin, 1])
    return file


def test_given_answers_are_measured_without_an_engine(tmp_path: Path) -> None:
    tiles = indexed(tmp_path / "tiles")
    answers = given(tiles, tmp_path / "given.csv")
    options = ["--answers", str(answers), "--out", str(tmp_path / "run"), "--resamples", "20"]
    result = run(app, ["eval", str(tiles), *options], env=WIDE)
    assert result.exit_code == 0, result.output
    assert "1.000" in result.stdout
    results = json.loads((tmp_path / "run" / "results.json").read_text(encoding="utf-8"))
    assert results["figures"]["none"]["auroc"]["value"] == 1.0
    assert results["engine"]["answers_file"] == "given.csv"
    assert results["seconds_per_tile"] is None
    assert result.stdout.count("Research use only") == 1


@pytest.mark.parametrize(("limit", "code"), [("0.5", 0), ("0.05", 1)])
def test_compare_exits_by_what_was_lost(tmp_path: Path, limit: str, code: int) -> None:
    tiles = indexed(tmp_path / "tiles")
    for name, wrong in (("a", 0), ("b", 4)):
        answers = given(tiles, tmp_path / f"{name}.csv", wrong)
        options = ["--answers", str(answers), "--out", str(tmp_path / name), "--no-baseline"]
        assert run(app, ["eval", str(tiles), *options, "--resamples", "0"]).exit_code == 0
    folders = [str(tmp_path / "a"), str(tmp_path / "b")]
    result = run(app, ["eval", "--compare", *folders, "--max-loss", limit], env=WIDE)
    assert result.exit_code == code, result.output
    assert "McNemar" in result.stdout
    assert "87.50%" in result.stdout


def test_compare_of_what_is_no_result_is_reported(tmp_path: Path) -> None:
    result = run(app, ["eval", "--compare", str(tmp_path), str(tmp_path)])
    assert result.exit_code == 48
    assert "not a folder of finished results" in result.stderr


def test_one_of_dataset_and_compare_is_needed() -> None:
    assert run(app, ["eval"]).exit_code == 2


def test_an_unknown_dataset_is_reported() -> None:
    result = run(app, ["eval", "nowhere"])
    assert result.exit_code == 41
    assert "pathmnist" in result.stderr


def test_an_unknown_class_is_reported(tmp_path: Path) -> None:
    tiles = foldered(tmp_path / "tiles", each=2)
    (tiles / "normal").rename(tiles / "weasel")
    result = run(app, ["eval", str(tiles)])
    assert result.exit_code == 43
    assert "weasel" in result.stderr


@needs_model
def test_the_built_in_model_on_the_real_samples(data_dir: Path, tmp_path: Path) -> None:
    options = ["--engine", "builtin", "--out", str(tmp_path / "run"), "--resamples", "50"]
    result = run(app, ["eval", str(data_dir / "samples"), *options, "--no-shifts"], env=WIDE)
    assert result.exit_code == 0, result.output
    results = json.loads((tmp_path / "run" / "results.json").read_text(encoding="utf-8"))
    assert results["dataset"]["answered"] == 31
    assert results["engine"]["engine"] == "builtin"
    source = Files(data_dir / "samples")
    with (tmp_path / "run" / "answers.csv").open(newline="") as file:
        first = next(csv.DictReader(file))
    alone = BuiltinEngine().score([source.tile(first["path"], Limits(10**7, 10**7))])[0]
    assert float(first["margin"]) == pytest.approx(alone.margin, abs=1e-3)


@needs_model
def test_training_tiles_are_warned_of_and_precomputed_answers_are_not(
    data_dir: Path, tmp_path: Path
) -> None:
    tiles = str(data_dir / "ebhi-seg")
    options = ["--engine", "builtin", "--limit", "30", "--no-shifts", "--resamples", "5"]
    loud = run(app, ["eval", tiles, *options, "--out", str(tmp_path / "loud")], env=WIDE)
    assert loud.exit_code == 0, loud.output
    assert "TRAINING TILES" in loud.stdout
    answers = ["--answers", str(tmp_path / "loud" / "answers.csv"), "--out", str(tmp_path / "calm")]
    calm = run(app, ["eval", tiles, *options, *answers], env=WIDE)
    assert calm.exit_code == 0, calm.output
    assert "TRAINING TILES" not in calm.stdout


def test_a_missing_extra_is_reported_with_how_to_install_it() -> None:
    script = "import sys; sys.modules['sklearn'] = None; from healer.cli import app; app()"
    for command in ("eval", "calibrate"):
        done = subprocess.run(
            [sys.executable, "-c", script, command, "x"],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 50
        assert "pip install 'healer[eval]'" in done.stderr
