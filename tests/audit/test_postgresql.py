"""What only PostgreSQL has: roles, upgrades, writers that hang."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from io import StringIO

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from starlette.testclient import TestClient

from healer.audit.chain import export, verify
from healer.audit.database import LOCK, READS, database_url, latest_schema
from healer.audit.store import Store
from healer.errors import AuditOutdated, AuditUnavailable
from healer.main import create_app
from healer.settings.loading import Settings
from tests.audit.answers import answer, slide_document
from tests.audit.cluster import Cluster
from tests.fake_engine import FakeEngine
from tests.server.conftest import png, wait_until_ready


@pytest.fixture
def store(postgresql: str) -> Iterator[Store]:
    with closing(Store(postgresql)) as store:
        store.upgrade()
        yield store


def test_tables_are_made_by_upgrade_alone(postgresql: str) -> None:
    with closing(Store(postgresql)) as store:
        with pytest.raises(AuditOutdated, match="healer audit upgrade"):
            store.append(answer())
        assert store.upgrade() == store.upgrade() == latest_schema()
        store.append(answer())


@pytest.mark.usefixtures("store")
def test_a_role_that_may_only_read_and_add_is_enough(cluster: Cluster, postgresql: str) -> None:
    database = str(database_url(postgresql).database)
    role = f"{database}_server"
    cluster.sql(
        f"CREATE ROLE {role} LOGIN; GRANT SELECT, INSERT ON healer_audit TO {role}; "
        f"GRANT SELECT ON healer_audit_version TO {role}",
        database,
    )
    with closing(Store(cluster.url(database, role))) as serving:
        serving.append(answer("a"))
        for statement in (
            "DELETE FROM healer_audit",
            "ALTER TABLE healer_audit DISABLE TRIGGER ALL",
        ):
            with (
                pytest.raises(Exception, match=r"permission denied|must be owner"),
                serving.engine.begin() as connection,
            ):
                connection.execute(text(statement))
        assert verify(serving.links()).head.sequence == 1


@pytest.mark.usefixtures("store")
def test_a_role_that_watches_needs_its_own_table_and_to_add_answers(
    cluster: Cluster, postgresql: str
) -> None:
    pytest.importorskip("pydicom", reason="watching needs healer[hospital]")
    from healer.hospital.archive import FoundSeries
    from healer.hospital.ledger import OPEN, Ledger, State

    database = str(database_url(postgresql).database)
    role = f"{database}_watch"
    cluster.sql(
        f"CREATE ROLE {role} LOGIN; GRANT SELECT, INSERT ON healer_audit TO {role}; "
        f"GRANT SELECT ON healer_audit_version TO {role}; "
        f"GRANT SELECT, INSERT, UPDATE ON healer_watch TO {role}",
        database,
    )
    url = cluster.url(database, role)
    ledger = Ledger(url, "https://archive", "model", records_answers=True)
    with closing(ledger), closing(Store(url)) as log:
        assert ledger.note([FoundSeries("1.2", "1.2.3", 3), FoundSeries("1.2", "1.2.4", 3)], 0) == 2
        entry = ledger.next_due(1, 1, OPEN)
        assert entry is not None
        ledger.answered(entry, slide_document())
        assert (ledger.counts()["answered"], ledger.counts()["waiting"]) == (1, 1)
        ledger.advance(entry, State.DONE)
        (link,) = log.links()
        assert (link.content["kind"], link.content["slide"]) == ("slide_answer", "1.2.3")


def test_an_answer_and_its_step_are_recorded_together_or_not_at_all(store: Store) -> None:
    def fails(_: object) -> None:
        raise OSError("the step cannot be taken")

    with pytest.raises(AuditUnavailable):
        store.append(answer("a"), along=fails)
    assert list(store.links()) == []


def test_a_log_of_an_earlier_version_is_upgraded_for_the_watch(
    cluster: Cluster, postgresql: str, store: Store
) -> None:
    database = str(database_url(postgresql).database)
    store.append(answer("a"))
    cluster.sql(
        "DROP TABLE healer_watch; UPDATE healer_audit_version SET version_num='0001'", database
    )
    with closing(Store(postgresql)) as older:
        with pytest.raises(AuditOutdated, match="healer audit upgrade"):
            older.append(answer("b"))
        assert older.upgrade() == latest_schema()
        assert verify(older.links()).head.sequence == 1
    assert cluster.sql("SELECT count(*) FROM healer_watch", database).strip() == "0"


@pytest.mark.parametrize("read_only", [True, False])
def test_a_role_that_may_only_read_can_verify_and_export(
    read_only: bool, cluster: Cluster, postgresql: str, store: Store
) -> None:
    store.append(answer("a"), answer("b"))
    database = str(database_url(postgresql).database)
    role = f"{database}_reader"
    cluster.sql(
        f"CREATE ROLE {role} LOGIN; GRANT SELECT ON healer_audit, healer_audit_version TO {role}; "
        f"ALTER ROLE {role} SET default_transaction_read_only = on",
        database,
    )
    with closing(Store(cluster.url(database, role), read_only=read_only)) as reading:
        assert verify(reading.links()).head.sequence == 2
        assert export(reading.links(), StringIO(), "csv").sequence == 2
        assert [link.sequence for link in reading.answers_for("a" * 64, "")] == [1, 2]
        with pytest.raises(AuditUnavailable, match=r"InsufficientPrivilege|ReadOnlySqlTrans"):
            reading.append(answer("c"))


def test_reading_writes_nothing_for_any_reader(store: Store) -> None:
    store.append(answer("a"))
    with store.engine.execution_options(**READS).connect() as connection:
        assert connection.execute(text("SHOW transaction_read_only")).scalar() == "on"


def test_an_answer_is_recorded_and_read_where_the_server_knows_of_no_encoding(
    sql_ascii: str, ascii_cluster: Cluster
) -> None:
    assert ascii_cluster.sql("SHOW server_encoding").strip() == "SQL_ASCII"
    assert ascii_cluster.sql("SELECT datcollate FROM pg_database LIMIT 1").strip() == "C"
    with closing(Store(sql_ascii)) as store:
        assert store.upgrade() == latest_schema()
    settings = Settings(audit=SecretStr(sql_ascii), gate="off")
    with TestClient(create_app(settings, engine=FakeEngine())) as client:
        wait_until_ready(client)
        body = client.post("/predict", files={"image_file": png()}).json()
        note = "Drüsen, keine Muskularis: “β” 🔬"
        review = {"request_id": body["request_id"], "agrees": False, "note": note}
        assert client.post("/reviews", json=review).status_code == 201
    with closing(Store(sql_ascii, read_only=True)) as store:
        links = list(store.links())
        assert [link.content["kind"] for link in links] == ["answer", "review"]
        assert links[1].content["note"] == note
        assert verify(links).head.sequence == 2


def test_an_encoding_in_the_address_does_not_count(sql_ascii: str) -> None:
    with closing(Store(f"{sql_ascii}&client_encoding=SQL_ASCII")) as store:
        assert store.upgrade() == latest_schema()


def test_a_commit_is_durable_whatever_the_roles_settings(cluster: Cluster, postgresql: str) -> None:
    database = str(database_url(postgresql).database)
    cluster.sql(f"ALTER DATABASE {database} SET synchronous_commit = off")
    with closing(Store(postgresql)) as fresh, fresh.engine.begin() as connection:
        show = text("SHOW synchronous_commit")
        assert connection.execute(show).scalar() == "off"
        fresh.database.lock_for_append(connection)
        assert connection.execute(show).scalar() == "on"


def test_a_writer_that_hangs_does_not_hold_up_the_others_for_ever(
    postgresql: str, store: Store
) -> None:
    with store.engine.begin() as hanging:
        hanging.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
        with (
            closing(Store(postgresql, timeout=0.2)) as other,
            pytest.raises(AuditUnavailable, match="took too long"),
        ):
            other.append(answer())
