from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy.exc import DBAPIError
from structlog.testing import capture_logs

from healer.audit import database
from healer.audit.chain import GENESIS, verify
from healer.audit.database import database_url
from healer.audit.journal import StoreJournal
from healer.audit.store import Store
from healer.errors import AuditOutdated, AuditUnavailable, InvalidSettings
from tests.audit.answers import answer
from tests.conftest import REPO

ALTERATIONS = [
    "UPDATE healer_audit SET body = 'x'",
    "UPDATE healer_audit SET kind = kind WHERE sequence = 1",
    "DELETE FROM healer_audit WHERE sequence = 2",
    "DELETE FROM healer_audit",
]
ON_SQLITE = [
    "INSERT OR REPLACE INTO healer_audit (sequence, previous, hash, kind, body) "
    "SELECT sequence, previous, hash, kind, 'x' FROM healer_audit WHERE sequence = 2",
    "REPLACE INTO healer_audit (sequence, previous, hash, kind, body) "
    "SELECT 4, previous, hash, kind, 'x' FROM healer_audit WHERE sequence = 2",
]
ON_POSTGRESQL = [
    "TRUNCATE healer_audit",
    "INSERT INTO healer_audit SELECT * FROM healer_audit WHERE sequence = 2 "
    "ON CONFLICT (sequence) DO UPDATE SET body = 'x'",
    "SET LOCAL session_replication_role = replica; DELETE FROM healer_audit",
]


def open_store(audit: str) -> closing[Store]:
    return closing(Store(audit))


@pytest.fixture
def store(audit: str) -> Iterator[Store]:
    with open_store(audit) as store:
        store.upgrade()
        yield store


def test_records_follow_one_another(store: Store) -> None:
    first, second = store.append(answer("a"), answer("b"))
    (third,) = store.append(answer("c"))
    assert (first.sequence, first.previous) == (1, GENESIS)
    assert (second.previous, third.previous) == (first.hash, second.hash)
    assert list(store.links()) == [first, second, third]
    assert verify(store.links()).head.hash == third.hash


def test_what_was_recorded_is_read_back_to_the_last_bit(store: Store) -> None:
    record = answer("a", margin=0.1 + 0.2, caller='Ärztin \\ "7"')
    (link,) = store.append(record)
    content = next(store.links()).content
    assert content.pop("sequence") == 1
    assert type(record).model_validate(content) == record
    assert link.content["margin"] == 0.1 + 0.2


def test_answers_are_found_by_request_file_and_pixels(store: Store) -> None:
    store.append(answer("a"), answer("b", file_sha256="c" * 64), answer("a", verdict="no"))
    newest = store.answer("a")
    assert newest is not None
    assert newest.sequence == 3
    assert store.answer("z") is None
    assert [link.sequence for link in store.answers_for("c" * 64, "d" * 64)] == [2]
    assert len(store.answers_for("d" * 64, "b" * 64)) == 3


def test_the_database_refuses_to_alter_or_delete(store: Store, audit: str) -> None:
    written = store.append(answer("a"), answer("b"), answer("c"))
    own = ON_SQLITE if audit.startswith("sqlite") else ON_POSTGRESQL
    for statement in ALTERATIONS + own:
        with (
            pytest.raises(DBAPIError, match="append-only"),
            store.engine.begin() as connection,
        ):
            connection.exec_driver_sql(statement)
    assert list(store.links()) == written


def test_threads_and_processes_make_one_chain(store: Store, audit: str) -> None:
    writer = [sys.executable, "-m", "tests.audit.writer", audit, "p", "25", "2"]
    with (
        subprocess.Popen(writer, stdout=subprocess.PIPE, cwd=REPO) as process,
        ThreadPoolExecutor(4) as pool,
    ):
        assert process.stdout is not None
        output = process.stdout.readline()  # it has begun
        list(pool.map(lambda n: store.append(answer(f"t{n}")), range(50)))
        output += process.stdout.read()
    assert (process.returncode, len(output.splitlines())) == (0, 50)
    assert verify(store.links()).head.sequence == 100


def test_processes_that_find_no_file_make_it_together(sqlite: str) -> None:
    writer = [sys.executable, "-m", "tests.audit.writer", sqlite]
    processes = [
        subprocess.Popen([*writer, f"p{n}", "5"], stdout=subprocess.DEVNULL, cwd=REPO)
        for n in range(2)
    ]
    assert [process.wait() for process in processes] == [0, 0]
    with open_store(sqlite) as store:
        assert verify(store.links()).head.sequence == 10


def test_a_file_is_its_owners_alone_and_every_commit_reaches_the_disk(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path}/audit.db") as store:
        store.append(answer())
        assert {path.stat().st_mode & 0o777 for path in tmp_path.glob("audit.db*")} == {0o600}
        with store.engine.connect() as connection:
            assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


def test_a_file_that_is_taken_away_takes_no_more_answers(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path}/audit.db") as store:
        store.append(answer())
        (tmp_path / "audit.db").rename(tmp_path / "elsewhere.db")
        with pytest.raises(AuditUnavailable, match="taken away"):
            store.append(answer())
        assert not (tmp_path / "audit.db").exists()


def test_reading_makes_no_file(tmp_path: Path) -> None:
    with (
        open_store(f"sqlite:///{tmp_path}/audit.db") as store,
        pytest.raises(AuditUnavailable, match="no such file"),
    ):
        next(store.links())
    assert not list(tmp_path.iterdir())


def test_what_is_no_log_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "audit.db").write_text("x" * 5000)
    with (
        open_store(f"sqlite:///{tmp_path}/audit.db") as store,
        pytest.raises(AuditUnavailable, match="not a database"),
    ):
        store.append(answer())
    assert (tmp_path / "audit.db").read_text(encoding="utf-8") == "x" * 5000


def test_a_store_that_has_just_failed_is_not_retried_at_once(tmp_path: Path) -> None:
    with open_store(f"sqlite:///{tmp_path}/later/audit.db") as store:
        with pytest.raises(AuditUnavailable):
            store.append(answer())
        (tmp_path / "later").mkdir()
        refused = 0
        while True:
            try:
                store.append(answer())
                break
            except AuditUnavailable:
                refused += 1
        assert refused > 1
        assert verify(store.links()).head.sequence == 1


def test_tables_of_a_newer_healer_are_refused(store: Store) -> None:
    with store.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE healer_audit_version SET version_num = '9999'")
    with pytest.raises(AuditOutdated, match="of version 9999"):
        store.upgrade()
    with pytest.raises(AuditOutdated):
        list(store.links())


@pytest.mark.parametrize(
    "bad",
    [
        "audit.db",
        "sqlite://",
        "sqlite:///:memory:",
        "sqlite://host/file",
        "mysql://u:s3cret@h/db",
        "postgresql://u:s3cret@h",
        "postgresql+psycopg2://u:s3cret@h/db",
    ],
)
def test_an_address_that_cannot_be_used_is_reported_without_its_password(bad: str) -> None:
    with pytest.raises(InvalidSettings) as caught:
        database_url(bad)
    assert "s3cret" not in str(caught.value)
    assert caught.value.variable == "HEALER_AUDIT"


def test_on_is_a_file_here() -> None:
    assert database_url("on").database == "healer-audit.db"


class BrokenDriver(Exception):
    """What no database's interface promises."""


@pytest.mark.parametrize("raised", [TypeError("bytes"), BrokenDriver("a record")])
def test_whatever_a_driver_raises_is_a_log_that_is_not_available(
    raised: Exception, sqlite: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with open_store(sqlite) as store, capture_logs() as logged:
        store.append(answer("a"))

        def failing(*_: object) -> None:
            raise raised

        monkeypatch.setattr(store.database, "lock_for_append", failing)
        with pytest.raises(AuditUnavailable, match=type(raised).__name__):
            store.append(answer("b"))
        monkeypatch.undo()
        assert verify(store.links()).head.sequence == 1
    assert logged[-1]["error"] == type(raised).__name__
    assert "a record" not in str(logged)


def test_serving_starts_where_the_driver_fails_in_its_own_way(
    sqlite: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def failing(*_: object) -> str:
        raise TypeError("cannot use a string pattern on a bytes-like object")

    with closing(StoreJournal(Store(sqlite), "refuse")) as journal:
        monkeypatch.setattr(database, "current_schema", failing)
        journal.check()
        assert journal.warnings() == ["the audit log cannot be written (audit_unavailable)"]


def test_a_file_may_be_at_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert database_url("sqlite:///~/audit.db").database == str(tmp_path / "home" / "audit.db")
    assert database_url("sqlite:////~/audit.db").database == "/~/audit.db"
    with pytest.raises(InvalidSettings, match="no home folder is known for ~nobody-there"):
        database_url("sqlite:///~nobody-there/audit.db")
