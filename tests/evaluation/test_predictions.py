from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from healer.engines.base import Evidence
from healer.engines.builtin.engine import BuiltinEngine
from healer.errors import EngineFailed, ModelUnsound, ResultsMismatch, UpstreamUnreachable
from healer.evaluation import datasets, predictions
from healer.evaluation.datasets import Dataset, Item, Limits, read_dataset
from healer.evaluation.predictions import (
    JOURNAL,
    Journal,
    Row,
    binding_of,
    predict,
    read_predictions,
    write_predictions,
)
from healer.evaluation.published import LabelMapping
from healer.evaluation.results import notes_on, notes_on_files
from healer.evaluation.shifts import NONE, Pixels
from healer.images.decode import decode
from healer.images.tile import Tile
from healer.screening.screener import Screener, known_tile
from tests.conftest import REPO
from tests.evaluation.tiles import foldered
from tests.fake_engine import FakeEngine

LIMITS = Limits(max_bytes=1_000_000, max_pixels=1_000_000)
SHIFTS = ["none", "blur"]
SLOW_RUN = """
import sys, time
from pathlib import Path
from healer.cli.evaluate_run import EvaluationRequest, evaluate
from healer.settings.loading import load_settings
from tests.fake_engine import FakeEngine
from healer.images.decode import decode
from healer.images.tile import Tile
from healer.screening.screener import Screener

class Slow(FakeEngine):
    def score(self, tiles):
        time.sleep(float(sys.argv[3]))
        return super().score(tiles)

out = Path(sys.argv[2])
request = EvaluationRequest(dataset=sys.argv[1], out=out, resamples=20, baseline=False)
evaluate(load_settings(), request, Screener(Slow()))
"""


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    return read_dataset(foldered(tmp_path / "tiles", each=12), LabelMapping())


def predict_rows(dataset: Dataset, folder: Path, engine: FakeEngine | None = None) -> list[Row]:
    engine = engine or FakeEngine()
    journal = Journal(folder, binding_of(dataset, engine.info, SHIFTS))
    return predict(Screener(engine), dataset, SHIFTS, journal, LIMITS, lambda _: None)


def fields_of(rows: list[Row]) -> list[tuple[object, ...]]:
    return [(row.path, row.shift, row.margin, row.mass, row.refusal) for row in rows]


def test_every_tile_is_scored_under_every_shift_in_order(dataset: Dataset, tmp_path: Path) -> None:
    rows = predict_rows(dataset, tmp_path / "run")
    assert [(row.shift, row.path) for row in rows] == [
        (shift, item.path) for shift in SHIFTS for item in dataset.items
    ]
    assert all(row.seconds is not None and row.seconds >= 0 for row in rows)


def test_rows_hold_the_second_answer_and_what_was_warned_of(
    dataset: Dataset, tmp_path: Path
) -> None:
    wide = Image.fromarray(known_tile(1400).pixels[:500])
    wide.save(tmp_path / "tiles" / dataset.items[0].path, "JPEG")  # within LIMITS
    engine = BuiltinEngine(threads=1)
    journal = Journal(tmp_path / "run", binding_of(dataset, engine.info, (NONE,)))
    rows = predict(Screener(engine), dataset, (NONE,), journal, LIMITS, lambda _: None)
    engine.close()
    # What is drawn is no tissue.
    assert (rows[0].warnings, rows[1].warnings) == ("wide_field unlike_training", "")
    assert (rows[0].windows or 0) > 1
    assert rows[1].windows is None
    assert all(row.second_verdict in ("yes", "no", "indeterminate") for row in rows)
    write_predictions(rows, tmp_path / "answers.csv", None)
    head, first = (tmp_path / "answers.csv").read_text(encoding="utf-8").splitlines()[:2]
    assert head.endswith("refusal,second_verdict,mark,warnings,windows,problem")
    assert first.endswith(f",wide_field unlike_training,{rows[0].windows},")
    assert "Of the tiles, 1 show a wider field" in " ".join(notes_on(dataset, rows, {}))


def test_a_second_run_scores_nothing_again(dataset: Dataset, tmp_path: Path) -> None:
    first = predict_rows(dataset, tmp_path / "run")
    journal = (tmp_path / "run" / JOURNAL).read_bytes()
    assert predict_rows(dataset, tmp_path / "run") == first
    assert (tmp_path / "run" / JOURNAL).read_bytes() == journal


@pytest.mark.parametrize("cut", [1, 50, 1000])
def test_a_line_cut_short_is_scored_again(dataset: Dataset, tmp_path: Path, cut: int) -> None:
    whole = predict_rows(dataset, tmp_path / "run")
    file = tmp_path / "run" / JOURNAL
    file.write_bytes(file.read_bytes()[:-cut])
    assert fields_of(predict_rows(dataset, tmp_path / "run")) == fields_of(whole)
    assert len(file.read_text(encoding="utf-8").splitlines()) == len(whole)


def test_another_engine_does_not_mix_in(dataset: Dataset, tmp_path: Path) -> None:
    predict_rows(dataset, tmp_path / "run")
    held = tmp_path / "run" / "run.json"
    binding = json.loads(held.read_text(encoding="utf-8"))
    binding["engine"]["revision"] = "another"
    held.write_text(json.dumps(binding))
    with pytest.raises(ResultsMismatch, match="another engine"):
        predict_rows(dataset, tmp_path / "run")
    with pytest.raises(ResultsMismatch, match="another fingerprint and tiles and engine"):
        predict_rows(dataset.limited(4), tmp_path / "run")


def test_a_tile_that_cannot_be_read_is_refused_by_its_code(
    dataset: Dataset, tmp_path: Path
) -> None:
    (tmp_path / "tiles" / dataset.items[3].path).write_bytes(b"not a picture")
    rows = predict_rows(dataset, tmp_path / "run")
    assert [row.path for row in rows if row.refusal] == [dataset.items[3].path] * 2
    assert {row.refusal for row in rows if row.margin is None} == {"not_an_image"}
    assert rows[3].problem
    assert rows[4].margin is not None


class FailsOnSome(FakeEngine):
    """Raises `error` for the tiles at these places, in batches of four and alone."""

    info = replace(FakeEngine.info, engine="openai")

    def __init__(self, dataset: Dataset, places: Iterable[int], error: Exception) -> None:
        self._bad = [pixels_of(dataset, dataset.items[at]) for at in places]
        self._error = error

    def score(self, tiles: Sequence[Tile]) -> Sequence[Evidence]:
        if any(np.array_equal(tile.pixels, bad) for tile in tiles for bad in self._bad):
            raise self._error
        return super().score(tiles)


def pixels_of(dataset: Dataset, item: Item) -> Pixels:
    return dataset.source.tile(item.path, LIMITS).pixels


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (RuntimeError("an error of the library"), "engine_failed"),
        (MemoryError(), "engine_out_of_memory"),
        (ModelUnsound("fake", "it gave a score that is not a number"), "model_unsound"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_a_tile_the_engine_fails_on_is_a_row_with_its_problem(
    dataset: Dataset, tmp_path: Path, error: Exception, code: str
) -> None:
    whole = predict_rows(dataset, tmp_path / "whole")
    rows = predict_rows(dataset, tmp_path / "run", FailsOnSome(dataset, [5], error))
    assert (rows[5].refusal, rows[5].margin) == (code, None)
    assert rows[5].problem
    assert [row.margin for row in rows[:5] + rows[6:]] == [
        row.margin for row in whole[:5] + whole[6:]
    ]
    (note,) = notes_on_files(dataset, rows)
    assert note == (f"1 of 24 tiles have no margin and take no part in the figures: 1 {code}.")
    write_predictions(rows, tmp_path / "answers.csv", None)
    assert rows[5].problem in (tmp_path / "answers.csv").read_text(encoding="utf-8")


def test_an_answer_that_is_missing_under_a_shift_alone_is_counted(
    dataset: Dataset, tmp_path: Path
) -> None:
    rows = predict_rows(dataset, tmp_path / "run")
    rows[-1] = replace(rows[-1], margin=None, refusal="engine_failed")
    assert notes_on_files(dataset, rows) == [
        "Under shifts, 1 answers are missing as well: 1 engine_failed."
    ]


def test_a_resumed_run_scores_again_what_the_engine_failed_on(
    dataset: Dataset, tmp_path: Path
) -> None:
    engine = FailsOnSome(dataset, [5], RuntimeError("of one moment"))
    whole = predict_rows(dataset, tmp_path / "whole", FailsOnSome(dataset, [], RuntimeError()))
    assert predict_rows(dataset, tmp_path / "run", engine)[5].refusal
    again = predict_rows(dataset, tmp_path / "run", FailsOnSome(dataset, [], RuntimeError()))
    assert fields_of(again) == fields_of(whole)


def test_an_upstream_that_fails_stops_the_run(dataset: Dataset, tmp_path: Path) -> None:
    error = UpstreamUnreachable("the model's server", "connection refused")
    with pytest.raises(UpstreamUnreachable):
        predict_rows(dataset, tmp_path / "run", FailsOnSome(dataset, [5], error))


def test_an_engine_that_fails_on_every_tile_stops_the_run(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predictions, "MAX_FAILURES", 10)
    places = range(len(dataset.items))
    with pytest.raises(EngineFailed):
        predict_rows(dataset, tmp_path / "run", FailsOnSome(dataset, places, RuntimeError()))


def test_an_unforeseen_failure_of_reading_is_the_tiles_own(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(data: bytes, *, max_pixels: int) -> Tile:
        if data == bad:
            raise RuntimeError("of a library")
        return decode(data, max_pixels=max_pixels)

    bad = (tmp_path / "tiles" / dataset.items[3].path).read_bytes()
    monkeypatch.setattr(datasets, "decode", failing)
    rows = predict_rows(dataset, tmp_path / "run")
    assert [row.refusal for row in rows[2:5]] == [None, "internal_error", None]


def start(tiles: Path, out: Path, seconds: float) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", SLOW_RUN, str(tiles), str(out), str(seconds)]
    environment = {**os.environ, "PYTHONPATH": str(REPO)}
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)


@pytest.mark.usefixtures("dataset")
@pytest.mark.slow
def test_a_killed_run_goes_on_and_comes_to_the_same(tmp_path: Path) -> None:
    """Killed outright (SIGKILL) once some answers have reached the disk."""
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert start(tmp_path / "tiles", whole, 0).wait(120) == 0
    running = start(tmp_path / "tiles", killed, 0.3)
    while not (killed / JOURNAL).exists() or (killed / JOURNAL).stat().st_size < 1000:
        assert running.poll() is None
        time.sleep(0.01)
    running.send_signal(signal.SIGKILL)
    running.wait(30)
    stopped_at = (killed / JOURNAL).read_bytes()
    assert not (killed / "results.json").exists()
    assert start(tmp_path / "tiles", killed, 0).wait(120) == 0
    assert (killed / JOURNAL).read_bytes().startswith(stopped_at[: stopped_at.rfind(b"\n") + 1])
    assert timeless(killed) == timeless(whole)


def timeless(folder: Path) -> dict[str, object]:
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    assert results.pop("seconds_per_tile")
    return dict(results)


def test_a_name_that_is_no_utf_8_is_read_and_written_so_that_it_is_found(tmp_path: Path) -> None:
    folder = foldered(tmp_path / "tiles", each=2)
    (folder / "normal" / "000.png").rename(folder / "normal" / "M\udcfcller.png")
    dataset = read_dataset(folder, LabelMapping())
    rows = predict_rows(dataset, tmp_path / "run")
    assert "normal/M\udcfcller.png" in {row.path for row in rows}
    assert all(row.margin is not None for row in rows)
    assert predict_rows(dataset, tmp_path / "run") == rows
    write_predictions(rows, tmp_path / "answers.csv", None)
    assert r"normal/M\xfcller.png" in (tmp_path / "answers.csv").read_text(encoding="utf-8")
    again = read_predictions(tmp_path / "answers.csv", dataset)
    assert fields_of(again.rows) == fields_of(rows)
    assert not again.unmatched


@pytest.mark.parametrize(
    "written", ["normal\\000.png", "./normal/000.png", "Normal/000.PNG", " normal/000.png"]
)
def test_answers_find_their_tile_in_any_spelling(
    dataset: Dataset, tmp_path: Path, written: str
) -> None:
    (tmp_path / "given.csv").write_text(f"Path, Margin\n{written}, 1.5\n{written}x, 2\n")
    given = read_predictions(tmp_path / "given.csv", dataset)
    assert [(row.path, row.margin) for row in given.rows] == [("normal/000.png", 1.5)]
    assert [path.strip() for path in given.unmatched] == [f"{written}x".strip()]


def csv_of(folder: Path, *lines: str) -> Path:
    file = folder / "given.csv"
    file.write_text("path,label,case_id,shift,margin,mass\n" + "\n".join(lines) + "\n")
    return file


def test_given_answers_take_the_datasets_order_and_words(dataset: Dataset, tmp_path: Path) -> None:
    file = csv_of(
        tmp_path,
        "normal/000.png,normal,x,as it is,-1.5,0.9",
        "normal/000.png,normal,x,JPEG quality 30,-1,1",
        "adenocarcinoma/001.png,adenocarcinoma,x,none,2.5,",
        "elsewhere/001.png,normal,x,none,2.5,",
        "adenocarcinoma/000.png,adenocarcinoma,x,,,",
    )
    given = read_predictions(file, dataset)
    rows = given.rows
    assert given.unmatched == ("elsewhere/001.png",)
    assert [(row.path, row.shift, row.margin) for row in rows] == [
        ("adenocarcinoma/000.png", "none", None),
        ("adenocarcinoma/001.png", "none", 2.5),
        ("normal/000.png", "none", -1.5),
        ("normal/000.png", "jpeg-30", -1.0),
    ]
    assert rows[0].refusal == "no_margin"
    assert rows[2].mass == 0.9


@pytest.mark.parametrize(
    ("lines", "reason"),
    [
        (["normal/000.png,polyp,x,none,1,1"], "polyp there and normal in the dataset"),
        (["normal/000.png,normal,x,rain,1,1"], "no shift is called rain"),
        (["normal/000.png,normal,x,none,nan,1"], "not a finite number"),
        (["normal/000.png,normal,x,none,high,1"], "could not convert"),
        (["normal/000.png,normal,x,none,1,1"] * 2, "twice"),
        (["normal/000.png,normal,x,blur,1,1"], "none of the dataset's tiles as they are"),
        ([], "none of the dataset's tiles"),
    ],
)
def test_bad_answers_are_reported(
    dataset: Dataset, tmp_path: Path, lines: list[str], reason: str
) -> None:
    with pytest.raises(ResultsMismatch, match=reason):
        read_predictions(csv_of(tmp_path, *lines), dataset)
