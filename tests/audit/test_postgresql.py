"""What only PostgreSQL has: roles, upgrades, writers that hang."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing

import pytest
from sqlalchemy import text

from healer.audit.addresses import address
from healer.audit.databases import LOCK
from healer.audit.store import Store
from healer.audit.verify import verify
from healer.errors import AuditOutdated, AuditUnavailable
from tests.audit.answers import answer
from tests.audit.cluster import Cluster


@pytest.fixture
def store(postgresql: str) -> Iterator[Store]:
    with closing(Store(postgresql)) as store:
        store.upgrade()
        yield store


def test_tables_are_made_by_upgrade_alone(postgresql: str) -> None:
    with closing(Store(postgresql)) as store:
        with pytest.raises(AuditOutdated, match="healer audit upgrade"):
            store.append(answer())
        assert store.upgrade() == store.upgrade() == "0001"
        store.append(answer())


@pytest.mark.usefixtures("store")
def test_a_role_that_may_only_read_and_add_is_enough(cluster: Cluster, postgresql: str) -> None:
    database = str(address(postgresql).database)
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


def test_a_commit_is_durable_whatever_the_role_was_told(cluster: Cluster, postgresql: str) -> None:
    database = str(address(postgresql).database)
    cluster.sql(f"ALTER DATABASE {database} SET synchronous_commit = off")
    with closing(Store(postgresql)) as fresh, fresh.engine.begin() as connection:
        show = text("SHOW synchronous_commit")
        assert connection.execute(show).scalar() == "off"
        fresh.database.take_turn(connection)
        assert connection.execute(show).scalar() == "on"


def test_a_writer_that_hangs_does_not_hold_up_the_others_for_ever(
    postgresql: str, store: Store
) -> None:
    with store.engine.begin() as hanging:
        hanging.execute(text(f"SELECT pg_advisory_xact_lock({LOCK})"))
        with (
            closing(Store(postgresql, patience=0.2)) as other,
            pytest.raises(AuditUnavailable, match="took too long"),
        ):
            other.append(answer())
