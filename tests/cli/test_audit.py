from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from typer.testing import CliRunner

from healer.audit.records import file_digest

pytest.importorskip("sqlalchemy", reason="needs healer[audit]")


from healer.audit.records import answer_record
from healer.audit.store import Store
from healer.cli import app
from healer.images.decode import decode
from healer.quality.gate import LoadedTile
from healer.screening.opening import choose_engine, open_screener
from healer.screening.screener import known_tile
from healer.settings.loading import Settings
from tests.audit.answers import answer


def healer(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["audit", *arguments])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> str:
    audit = f"sqlite:///{tmp_path}/audit.db"
    monkeypatch.setenv("HEALER_AUDIT", audit)
    monkeypatch.setenv("HEALER_ENGINE", "builtin")
    with closing(Store(audit)) as store:
        store.append(answer("r1"), answer("r2", caller="=cmd()"))
    return audit


def tile_file(folder: Path, comment: str = "") -> Path:
    about = PngInfo()
    about.add_text("Comment", comment)
    buffer = BytesIO()
    Image.fromarray(known_tile().pixels).save(buffer, "PNG", pnginfo=about)
    path = folder / f"tile-{comment}.png"
    path.write_bytes(buffer.getvalue())
    return path


def test_a_whole_log_is_verified_and_its_head_anchors_it(log: str, tmp_path: Path) -> None:
    code, printed = healer("verify")
    assert code == 0
    assert "2 records (2 of kind answer), none broken" in printed
    head = printed.split()[-1]
    with closing(Store(log)) as store:
        store.append(answer("r3"))
    code, printed = healer("verify", "--head", head)
    assert (code, "the anchor is record 2" in printed) == (0, True)
    (tmp_path / "audit.db").unlink()
    with closing(Store(log)) as store:
        store.append(answer("r1"))
    code, printed = healer("verify", "--head", head)
    assert code == 96
    assert "None of the 1 records has the hash" in printed


def test_a_record_altered_behind_the_databases_back_is_found(log: str) -> None:
    with closing(Store(log)) as store, store.engine.begin() as connection:
        connection.exec_driver_sql("DROP TRIGGER healer_audit_no_update")
        connection.exec_driver_sql(
            "UPDATE healer_audit SET body = replace(body, 'yes', 'no') WHERE sequence = 2"
        )
    for command in ("verify", "export"):
        code, printed = healer(command)
        assert code == 95
        assert "Record 2 is the first that does not fit" in printed


@pytest.mark.usefixtures("log")
def test_export_writes_lines_and_keeps_the_head_apart(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["audit", "export"])
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["request_id"] for line in lines] == ["r1", "r2"]
    assert done.stderr.split() == ["2", "records", "head", lines[-1]["hash"]]
    out = tmp_path / "log.csv"
    assert healer("export", "--format", "csv", "--out", str(out))[0] == 0
    rows = csv.DictReader(out.read_text(encoding="utf-8").splitlines())
    assert [row["caller"] for row in rows] == ["", "'=cmd()"]
    code, printed = healer("export", "--out", str(out))
    assert (code, "--out cannot be written (File exists)" in printed) == (2, True)


def test_replay_recomputes_what_the_builtin_model_answered(log: str, tmp_path: Path) -> None:
    image = tile_file(tmp_path)
    assert healer("replay", str(image))[0] == 97
    record(log, image, margin=0.0)
    code, printed = healer("replay", str(image))
    assert code == 0, printed
    assert "may move by 0.02" in printed
    stripped = tile_file(tmp_path, "other bytes, same pixels")
    assert healer("replay", str(stripped))[0] == 0
    record(log, image, margin=0.5)
    code, printed = healer("replay", str(image))
    assert code == 1
    assert "no: the margin" in printed


def record(log: str, image: Path, margin: float) -> None:
    """What serving records for this image, with its margin shifted."""
    settings = Settings()
    screener = open_screener(choose_engine(settings), settings)
    tile = decode(image.read_bytes(), max_pixels=10**6)
    (scored,) = screener.score([tile])
    record = answer_record(
        screener,
        LoadedTile(tile, None, {}),
        replace(scored, evidence=replace(scored.evidence, margin=scored.margin + margin)),
        file_sha256=file_digest(image.read_bytes()),
        request_id="r9",
        caller=None,
    )
    with closing(Store(log)) as store:
        store.append(record)


def test_upgrade_makes_the_tables_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HEALER_AUDIT", f"sqlite:///{tmp_path}/new.db")
    first = CliRunner().invoke(app, ["audit", "upgrade"])
    assert first.stdout == "The audit log's tables are of version 0002.\n"
    (line,) = first.stderr.splitlines()
    printed = json.loads(line)
    assert (printed["event"], printed["found"], printed["version"]) == (
        "audit log upgraded",
        "none",
        "0002",
    )
    assert healer("upgrade") == (0, first.stdout)
    assert "0 records (none), none broken" in healer("verify")[1]


def test_predict_says_that_it_records_nothing(log: str, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["predict", "--gate", "off", str(tile_file(tmp_path))])
    assert done.exit_code == 0
    assert "these are not kept" in done.stderr
    with closing(Store(log)) as store:
        assert len(list(store.links())) == 2


def test_without_a_log_each_command_says_so() -> None:
    for command in (["verify"], ["export"], ["upgrade"]):
        code, printed = healer(*command)
        assert (code, "HEALER_AUDIT is not set" in printed) == (2, True)


def test_a_log_that_is_not_there_is_not_called_whole(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HEALER_AUDIT", f"sqlite:///{tmp_path}/none.db")
    code, printed = healer("verify")
    assert (code, "there is no such file" in printed) == (91, True)


def test_without_the_extra_what_to_install_is_reported(tmp_path: Path) -> None:
    (tmp_path / "sqlalchemy.py").write_text("raise ModuleNotFoundError('No module sqlalchemy')")
    environment = {"PYTHONPATH": str(tmp_path), "HEALER_AUDIT": "on"}
    done = subprocess.run(
        [sys.executable, "-m", "healer", "audit", "verify"],
        check=False,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 93
    assert "pip install 'healer[audit]'" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.usefixtures("log")
def test_nothing_but_the_answer_is_reported(tmp_path: Path) -> None:
    """In a process of its own: Alembic speaks up when it is first imported."""
    for command in (["verify"], ["export", "--out", str(tmp_path / "log.jsonl")], ["upgrade"]):
        done = subprocess.run(
            [sys.executable, "-m", "healer", "audit", *command],
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert "alembic" not in done.stdout + done.stderr
        assert len(done.stderr.splitlines()) == (2 if command[0] == "export" else 0)
