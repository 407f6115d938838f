from __future__ import annotations

import io
import pickle
from collections.abc import Sequence
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image

from healer import outcomes
from healer.batch.cluster import unpickled
from healer.batch.listing import read_listing
from healer.batch.parts import SCHEMA, Row
from healer.batch.run import portable
from healer.batch.worker import (
    Block,
    BlockResult,
    BlockWorker,
    WorkerSetup,
    is_upstream,
    problem_of,
)
from healer.errors import CalibrationUnreadable, EmptyFile, UpstreamUnreachable
from healer.outcomes import Embedded
from healer.screening.screener import known_tile
from healer.settings.loading import Settings
from tests.batch.tiles import UNGATED, folder_of, index_of


class Broken:
    """A source that fails in a way nobody foresaw, with a name in its message."""

    def tiles(self, start: int, names: Sequence[str]) -> list[Path | Embedded]:
        raise KeyError(names[start])


def rows_of(result: BlockResult) -> list[Row]:
    table = pq.read_table(io.BytesIO(result.part))
    assert table.schema == SCHEMA
    rows: list[Row] = table.to_pylist()
    return rows


def test_a_block_becomes_rows_and_a_bad_tile_its_error(tmp_path: Path) -> None:
    folder_of(tmp_path / "tiles", 2)
    names = ["tiles/0000.png", "tiles/absent.png", "tiles/0001.png"]
    source = read_listing(index_of(tmp_path / "a.csv", names)).source
    result = unpickled(
        BlockWorker(WorkerSetup(UNGATED, source))(Block(start=40, names=names))["sent"]
    )
    assert isinstance(result, BlockResult)
    first, absent, last = rows_of(result)
    assert [first["row"], absent["row"], last["row"]] == [40, 41, 42]
    assert [first["path"], absent["path"], last["path"]] == names
    assert absent["error_code"] == "file_not_readable"
    assert absent["verdict"] is None
    for row in (first, last):
        assert row["verdict"] in ("yes", "no", "indeterminate")
        assert row["error_code"] is None
        assert row["model_revision"] == result.binding["revision"]
        assert row["calibration"] == result.binding["calibration"]
        assert row["path_bytes"] is None
    assert result.binding["gate"] == "off"
    assert not result.replacement


def test_rows_hold_the_second_answer_and_the_windows_of_wide_fields(tmp_path: Path) -> None:
    folder_of(tmp_path / "tiles", 1)
    wide = Image.fromarray(known_tile(1400).pixels[:500])
    wide.save(tmp_path / "tiles" / "wide.png")
    found = read_listing(tmp_path / "tiles")
    result = unpickled(
        BlockWorker(WorkerSetup(UNGATED, found.source))(Block(start=0, names=[*found.names]))[
            "sent"
        ]
    )
    narrow, row = rows_of(result)
    for each in (narrow, row):
        assert each["second_question"] == "dysplasia-or-cancer-1"
        assert each["second_verdict"] in ("yes", "no", "indeterminate")
        assert each["second_probability"] >= each["probability"]
        assert each["second_sentence"]
        assert each["second_calibrated"] is False
    # What is drawn is no tissue.
    assert (narrow["warnings"], narrow["windows"]) == (["unlike_training"], None)
    assert (row["warnings"], row["calibrated"]) == (["wide_field", "unlike_training"], False)
    assert len(row["windows"]) > 1
    assert set(row["windows"][0]) == {"x", "y", "width", "height", "probability", "verdict"}


def test_a_name_that_is_no_utf_8_is_answered_and_comes_back_as_it_was(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "tiles", 1)
    (folder / "0000.png").rename(folder / "M\udcfcller.png")
    found = read_listing(folder)
    result = unpickled(
        BlockWorker(WorkerSetup(UNGATED, found.source))(Block(start=0, names=[*found.names]))[
            "sent"
        ]
    )
    (row,) = rows_of(result)
    assert row["path"] == r"M\xfcller.png"
    assert row["path_bytes"] == b"M\xfcller.png"
    assert row["verdict"] in ("yes", "no", "indeterminate")


def test_an_unforeseen_failure_names_no_tile_and_costs_one_tile_only() -> None:
    worker = BlockWorker(WorkerSetup(UNGATED, Broken()))
    with pytest.raises(RuntimeError) as caught:
        worker(Block(start=0, names=["mrs-smith.png", "b.png"]))
    assert caught.value.args == ("KeyError",)
    assert caught.value.__suppress_context__
    (row,) = rows_of(unpickled(worker(Block(start=0, names=["mrs-smith.png"]))["sent"]))
    assert row["error_code"] == "tile_not_answered"
    assert "KeyError" in row["error_message"]


def test_a_worker_that_cannot_open_says_why_in_our_own_words(tmp_path: Path) -> None:
    settings = Settings(engine="builtin", calibration=str(tmp_path / "absent.json"))
    worker = BlockWorker(WorkerSetup(settings, Broken()))
    with pytest.raises(CalibrationUnreadable):
        unpickled(worker(Block(start=0, names=["a.png"]))["sent"])


def test_a_server_that_fails_is_no_fault_of_the_tile() -> None:
    down, small = problem_of(UpstreamUnreachable("http://a", "refused")), problem_of(EmptyFile())
    assert is_upstream(down)
    assert not is_upstream(small)


def test_no_token_and_no_relative_path_is_sent(tmp_path: Path) -> None:
    settings = Settings.model_validate(
        {"hf_token": "hf_secret", "audit": "sqlite:///secret.db", "calibration": "mine.json"}
    )
    sent = portable(settings)
    assert b"secret" not in pickle.dumps(sent)
    assert sent.hf_token is None
    assert sent.model_dir == tmp_path / "medgemma-model"
    assert sent.calibration == str(tmp_path / "mine.json")
    assert portable(Settings()).calibration == "auto"


def test_a_library_that_fails_on_a_tile_logs_no_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    folder_of(tmp_path / "tiles", 1)

    def failing(*_: object) -> None:
        raise KeyError("mrs-smith.png")

    monkeypatch.setattr(outcomes, "load_tile", failing)
    source = read_listing(index_of(tmp_path / "a.csv", ["tiles/0000.png"])).source
    result = unpickled(
        BlockWorker(WorkerSetup(UNGATED, source))(Block(start=0, names=["tiles/0000.png"]))["sent"]
    )
    assert isinstance(result, BlockResult)
    (row,) = rows_of(result)
    assert row["error_code"] == "tile_not_answered"
    assert "mrs-smith" not in "".join(capfd.readouterr())
