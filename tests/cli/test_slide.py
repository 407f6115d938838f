"""`healer slide` on files, by the model that ships."""

from __future__ import annotations

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from typer.testing import CliRunner

pytest.importorskip("openslide", reason="whole slides need healer[slides]")
pytest.importorskip("pyarrow", reason="whole slides need healer[slides]")

import pyarrow.parquet as pq

from healer import NOTICE
from healer.cli import app
from healer.errors.request import OutputNotWritable
from healer.errors.slides import SlideRunMismatch
from healer.slides.tiles import TileParts

run = CliRunner().invoke
SIDE = 224


def picture_of(data_dir: Path, label: str, at: int) -> Image.Image:
    files = sorted((data_dir / "ebhi-seg" / label).glob("*.jpg"))
    return Image.open(files[at % len(files)]).convert("RGB")


def slide_file(data_dir: Path, place: Path, label: str, columns: int = 4, rows: int = 3) -> Path:
    """A tiled TIFF at 0.5 µm a pixel; tiles of one class with glass around, enlarged to 1 µm a
    pixel of their own."""
    canvas = Image.new("RGB", ((columns + 2) * 2 * SIDE, (rows + 2) * 2 * SIDE), (243, 243, 244))
    for row in range(rows):
        for column in range(columns):
            tile = picture_of(data_dir, label, row * columns + column).resize((2 * SIDE, 2 * SIDE))
            canvas.paste(tile, ((column + 1) * 2 * SIDE, (row + 1) * 2 * SIDE))
    tifffile.imwrite(
        place,
        np.asarray(canvas),
        tile=(256, 256),
        compression="jpeg",
        photometric="rgb",
        resolution=(20_000, 20_000),
        resolutionunit="CENTIMETER",
    )
    return place


@pytest.fixture
def slides(data_dir: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "slides"
    folder.mkdir()
    slide_file(data_dir, folder / "tumour.tiff", "adenocarcinoma")
    slide_file(data_dir, folder / "normal.tiff", "normal")
    (folder / "broken.svs").write_bytes(b"II*\0no slide at all")
    return folder


def worklist(out: Path) -> list[dict[str, str]]:
    with (out / "slides.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_a_folder_of_slides_gives_a_worklist_by_risk_and_a_folder_a_slide(
    slides: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    done = run(app, ["slide", str(slides), "--out", str(out)])
    assert done.exit_code == 1, done.output  # one of them is broken
    rows = worklist(out)
    assert [row["slide"] for row in rows] == ["tumour", "broken", "normal"]
    assert [row["verdict"] for row in rows] == ["yes", "", "no"]
    assert rows[1]["error_code"] in {"not_a_slide", "slide_damaged", "slide_unsupported"}
    assert "1 yes, 1 no, 1 failed" in done.output
    assert NOTICE in done.output
    document = json.loads((out / "tumour" / "slide.json").read_text(encoding="utf-8"))
    assert document["mpp"]["x"] == pytest.approx(0.5)
    assert document["coverage"]["tissue_mm2"] == pytest.approx(12 * 0.224**2, rel=0.15)
    (region, *_) = document["regions"]
    box = region["box"]
    assert box["x"] <= 2 * SIDE <= box["x"] + box["width"]
    tiles = pq.read_table(out / "tumour" / "tiles.parquet")
    assert len(tiles) == document["tiles"]["visited"]
    assert not (out / "tumour" / "parts").exists()


def test_the_worklist_holds_what_earlier_commands_answered(slides: Path, tmp_path: Path) -> None:
    out, empty = tmp_path / "out", tmp_path / "empty"
    empty.mkdir()
    for paths in ([slides / "normal.tiff"], [slides / "tumour.tiff", empty]):
        run(app, ["slide", *map(str, paths), "--out", str(out)])
    rows = worklist(out)
    assert [row["slide"] for row in rows] == ["tumour", "empty", "normal"]
    assert rows[1]["error_code"] == "folder_without_slides"
    assert [bool(row["notice"]) for row in rows] == [True, False, False]


def test_a_name_that_is_no_text_is_answered_like_any_other(data_dir: Path, tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"biopsy\xff.svs")
    shutil.copy(data_dir / "slides" / "osp-small.svs", odd)
    done = run(app, ["slide", str(odd), "--out", str(tmp_path / "out"), "--mpp", "0.5"])
    assert done.exit_code == 0, done.output
    assert [row["slide"] for row in worklist(tmp_path / "out")] == ["biopsy\\xff"]
    assert (tmp_path / "out" / odd.stem / "report.pdf").exists()


def test_a_slide_that_is_refused_leaves_no_folder_behind(slides: Path, tmp_path: Path) -> None:
    out, empty = tmp_path / "out", slides / "empty.svs"
    empty.touch()
    broken = [str(slides / "broken.svs"), str(empty)]
    assert run(app, ["slide", *broken, "--out", str(out)]).exit_code == 1
    assert [place.name for place in out.iterdir()] == ["slides.csv"]
    (row,) = (row for row in worklist(out) if row["slide"] == "empty")
    assert row["error_message"].startswith("The file holds no bytes. Copy or export it again")


def test_a_run_that_stops_before_its_first_tile_leaves_no_folder_behind(tmp_path: Path) -> None:
    with pytest.raises(SlideRunMismatch), TileParts(tmp_path / "out" / "a") as parts:
        raise parts.mismatch("mpp")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_place_that_cannot_be_written_is_refused_once_and_before_any_slide(
    slides: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    done = run(app, ["slide", str(slides), "--out", str(tmp_path / "file" / "out"), "--json"])
    assert done.exit_code == OutputNotWritable.exit_code
    assert done.stdout == ""
    assert done.stderr.count("cannot be written: Not a directory") == 1


def test_an_engine_that_is_none_is_the_option_s_fault(tmp_path: Path) -> None:
    done = run(app, ["slide", "a.svs", "--out", str(tmp_path), "--engine", "foo"])
    assert done.exit_code == 2
    assert "--engine cannot be used: must be one of" in done.output.replace("\n", " ")
    by_variable = run(app, ["slide", "a.svs", "--out", str(tmp_path)], env={"HEALER_ENGINE": "foo"})
    assert "HEALER_ENGINE cannot be used: must be one of" in by_variable.output.replace("\n", " ")


def test_the_builtin_model_is_no_second_one(tmp_path: Path) -> None:
    done = run(app, ["slide", "a.svs", "--out", str(tmp_path), "--engine", "builtin"])
    assert done.exit_code == 2
    assert "reads every slide already" in " ".join(done.output.replace("│", " ").split())


def test_a_second_run_answers_from_what_is_there(slides: Path, tmp_path: Path) -> None:
    out = str(tmp_path / "out")
    slide = str(slides / "normal.tiff")
    first = run(app, ["slide", slide, "--out", out, "--json"])
    again = run(app, ["slide", slide, "--out", out, "--json"])
    assert first.exit_code == again.exit_code == 0, first.output
    assert json.loads(first.stdout) == json.loads(again.stdout)


def test_another_scale_is_refused_until_the_run_is_fresh(slides: Path, tmp_path: Path) -> None:
    slide = [str(slides / "normal.tiff"), "--out", str(tmp_path / "out")]
    assert run(app, ["slide", *slide]).exit_code == 0
    other = run(app, ["slide", *slide, "--mpp", "0.6"])
    assert other.exit_code == 1
    assert "slide run mismatch" in other.output
    assert run(app, ["slide", *slide, "--mpp", "0.6", "--fresh"]).exit_code == 0
    document = json.loads((tmp_path / "out" / "normal" / "slide.json").read_text("utf-8"))
    assert document["mpp"] == {"x": 0.6, "y": 0.6, "source": "--mpp"}


def test_a_list_states_the_scale_of_each_slide(slides: Path, tmp_path: Path) -> None:
    (slides / "list.csv").write_text("path,mpp\nnormal.tiff,0.55\n", encoding="utf-8")
    done = run(app, ["slide", str(slides / "list.csv"), "--out", str(tmp_path / "out"), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["mpp"] == {"x": 0.55, "y": 0.55, "source": "list"}


@pytest.mark.slow
def test_a_killed_run_goes_on_and_gives_what_an_unbroken_one_gives(
    data_dir: Path, tmp_path: Path
) -> None:
    slide = slide_file(data_dir, tmp_path / "big.tiff", "adenocarcinoma", 9, 7)
    command = [sys.executable, "-m", "healer", "slide", str(slide), "--quiet", "--out"]
    killed = subprocess.Popen([*command, str(tmp_path / "killed")])
    parts = tmp_path / "killed" / "big" / "parts"
    while not list(parts.glob("*.parquet")):
        assert killed.poll() is None
        time.sleep(0.05)
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    kept = sum(len(pq.read_table(part)) for part in parts.glob("*.parquet"))
    assert kept > 0
    for name in ("killed", "whole"):
        subprocess.run([*command, str(tmp_path / name)], check=True)
    killed_tiles, whole_tiles = (
        pq.read_table(tmp_path / name / "big" / "tiles.parquet") for name in ("killed", "whole")
    )
    assert killed_tiles.equals(whole_tiles)
    places = list(zip(*(whole_tiles[name].to_pylist() for name in ("x", "y")), strict=True))
    assert len(set(places)) == len(places)


def test_no_slide_s_name_is_logged(slides: Path, tmp_path: Path) -> None:
    secret = slides / "mrs-miller-1957.svs"
    secret.write_bytes(b"II*\0no slide at all")
    command = [sys.executable, "-m", "healer", "slide", str(secret), "--quiet", "--json"]
    done = subprocess.run(
        [*command, "--out", str(tmp_path / "out")],
        capture_output=True,
        text=True,
        check=False,
        env={"PATH": "", "HEALER_LOG_LEVEL": "debug", "PYTHONUTF8": "1"},
    )
    assert done.returncode == 1
    assert "mrs-miller" not in done.stderr


def test_a_second_model_sees_the_most_suspicious_places_over_http(
    slides: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("httpx", reason="a model behind a server needs healer[openai]")
    from tests.engines.openai.upstream import MODEL, Upstream

    with Upstream() as upstream:
        monkeypatch.setenv("HEALER_ENGINE_URL", upstream.url)
        slide = [str(slides / "tumour.tiff"), "--out", str(tmp_path / "out"), "--json"]
        done = run(app, ["slide", *slide, "--engine", "openai", "--patches", "2"])
        pictures = [body for body in upstream.requests if "image_url" in json.dumps(body)]
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    cascade = document["cascade"]
    assert cascade["model"] == MODEL
    assert 1 <= len(cascade["patches"]) <= 2
    assert cascade["patches"][0]["region"] == 1
    assert cascade["patches"][0]["opinion"] in {"confirms", "doubts", "silent"}
    assert cascade["patches"][0]["sentence"]
    assert document["first_verdict"] == "yes"
    assert len(pictures) >= len(cascade["patches"])


def test_a_second_model_drafts_a_report_over_http(
    slides: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("httpx", reason="a model behind a server needs healer[openai]")
    from tests.engines.openai.upstream import MODEL, Upstream

    out = tmp_path / "out"
    with Upstream() as upstream:
        upstream.words = "Glands fuse [patch 1]. No malignancy is seen [patch 1]."
        monkeypatch.setenv("HEALER_ENGINE_URL", upstream.url)
        slide = [str(slides / "tumour.tiff"), "--out", str(out), "--draft", "--patches", "1"]
        done = run(app, ["slide", *slide, "--engine", "openai"])
        (asked,) = [
            body
            for body in upstream.requests
            if body["messages"][0]["content"][0]["type"] == "text"
        ]
    assert done.exit_code == 0, done.output
    assert "left out: 1 contradicts the verdict" in " ".join(done.output.split())
    assert re.search(r"^0 of \d+ patches read for the draft$", done.stderr, re.MULTILINE)
    document = json.loads((out / "tumour" / "slide.json").read_text(encoding="utf-8"))
    draft = document["draft"]
    assert draft["model"] == MODEL
    assert draft["first_sentence"] == document["sentence"]
    assert [each["text"] for each in draft["sentences"]] == ["Glands fuse."]
    assert [each["text"] for each in draft["dropped"]] == ["No malignancy is seen."]
    assert len(asked["messages"][0]["content"]) == 1 + len(draft["patches"])
    assert document["sentence"] in asked["messages"][0]["content"][0]["text"]


def test_a_draft_needs_a_model_that_writes(tmp_path: Path) -> None:
    done = run(app, ["slide", "a.svs", "--out", str(tmp_path), "--draft"])
    assert done.exit_code == 2
    assert "writes no text" in " ".join(done.output.replace("│", " ").split())
    done = run(app, ["slide", "a.svs", "--out", str(tmp_path), "--draft", "--engine", "auto"])
    assert done.exit_code == 20, done.output
    assert "does not read several pictures in one prompt" in " ".join(done.output.split())


@pytest.mark.parametrize(
    ("option", "value", "exit_code"),
    [("--engine", "medgemma", 21), ("--calibration", "no-such-file.json", 27)],
)
def test_a_model_or_calibration_that_is_not_there_ends_the_command_before_any_slide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, option: str, value: str, exit_code: int
) -> None:
    monkeypatch.setenv("MODEL_DIR", str(tmp_path / "no-model"))
    out = tmp_path / "out"
    done = run(app, ["slide", str(tmp_path / "a.svs"), "--out", str(out), option, value])
    assert done.exit_code == exit_code, done.output
    assert not out.exists()
