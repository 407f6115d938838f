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
    found = programs()
    if found is None:
        pytest.skip("no PostgreSQL here: apt-get install postgresql")
    cluster = Cluster(found)
    yield cluster
    cluster.remove()


@pytest.fixture
def postgresql(cluster: Cluster) -> str:
    """The address of an empty database on a real server."""
    name = f"audit{next(numbers)}"
    cluster.sql(f"CREATE DATABASE {name}")
    return cluster.url(name)


@pytest.fixture
def sqlite(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/audit.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def audit(request: pytest.FixtureRequest) -> str:
    """HEALER_AUDIT, for each database in turn."""
    address: str = request.getfixturevalue(request.param)
    return address
