from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.audit.cluster import Cluster, programs

pytest.importorskip("sqlalchemy", reason="needs healer[audit]")
numbers = itertools.count(1)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    yield from _cluster()


@pytest.fixture(scope="session")
def ascii_cluster() -> Iterator[Cluster]:
    """As `initdb` makes it in the C locale, which many servers have."""
    yield from _cluster("--locale=C", "--encoding=SQL_ASCII")


def _cluster(*options: str) -> Iterator[Cluster]:
    found = programs()
    if found is None:
        pytest.skip("no PostgreSQL here: apt-get install postgresql")
    cluster = Cluster(found, *options)
    yield cluster
    cluster.remove()


@pytest.fixture
def postgresql(cluster: Cluster) -> str:
    """The address of an empty database on a real server."""
    return _database(cluster)


@pytest.fixture
def sql_ascii(ascii_cluster: Cluster) -> str:
    """The same, where the server knows of no encoding."""
    return _database(ascii_cluster)


def _database(cluster: Cluster) -> str:
    name = f"audit{next(numbers)}"
    cluster.sql(f"CREATE DATABASE {name}")
    return cluster.url(name)


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/audit.db"


@pytest.fixture(params=["sqlite", "postgresql", "sql_ascii"])
def audit(request: pytest.FixtureRequest) -> str:
    """HEALER_AUDIT, for each database in turn."""
    address: str = request.getfixturevalue(request.param)
    return address
