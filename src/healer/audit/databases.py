"""What differs between the two databases: how one is opened, who may write, when a commit holds."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import URL, Connection, Engine, create_engine, event, text

PATIENCE_SECONDS = 5.0  # for another writer, and for a statement
CONNECT_SECONDS = 3
LOCK = 0x4865616C6572  # "Healer", in ASCII: the advisory lock by which writers take turns
READS: Mapping[str, Any] = {"healer_reads": True}


class Database(Protocol):
    engine: Engine
    upgrades_itself: bool

    def exists(self) -> bool:
        """Whether there is anything to read; asks no server."""
        ...

    def make_ready(self) -> None:
        """Before every write. Raises OSError where what is written would be lost."""
        ...

    def take_turn(self, connection: Connection) -> None:
        """Until this transaction ends nobody else appends, and its commit will be durable."""
        ...


def database(url: URL, patience: float) -> Database:
    """`patience` in seconds; what takes longer fails."""
    kind = SQLite if url.get_backend_name() == "sqlite" else PostgreSQL
    return kind(url, patience)


class SQLite:
    """A file in WAL mode with synchronous=FULL: a commit is on the disk before it returns."""

    upgrades_itself = True

    def __init__(self, url: URL, patience: float) -> None:
        self._file = Path(str(url.database)).absolute()
        self._seen: os.stat_result | None = None
        self.engine = create_engine(
            url.set(database=str(self._file)),
            hide_parameters=True,
            connect_args={"timeout": patience},
        )
        event.listen(self.engine, "connect", _prepare)
        event.listen(self.engine, "begin", _begin)

    def exists(self) -> bool:
        return self._file.is_file()

    def make_ready(self) -> None:
        """A file that was deleted under SQLite takes writes all the same, and keeps none."""
        if self._seen is None:
            os.close(os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600))
            self._seen = self._file.stat()
        if not self.exists() or not os.path.samestat(self._seen, self._file.stat()):
            raise FileNotFoundError(0, "its file was taken away; put it back and restart Healer")

    def take_turn(self, connection: Connection) -> None:
        """`_begin` has done it."""


def _prepare(connection: Any, _record: object) -> None:  # noqa: ANN401 - the driver's own type
    connection.isolation_level = None  # transactions are begun below, not by the driver
    connection.execute("PRAGMA synchronous = FULL")
    if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        connection.execute("PRAGMA journal_mode = WAL")


def _begin(connection: Connection) -> None:
    reads = connection.get_execution_options().get("healer_reads", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")


class PostgreSQL:
    upgrades_itself = False  # so that the role that serves need not own the table

    def __init__(self, url: URL, patience: float) -> None:
        self._patience_ms = int(patience * 1000)
        self.engine = create_engine(
            url,
            hide_parameters=True,
            pool_pre_ping=True,
            pool_timeout=patience,
            connect_args={
                "application_name": "healer",
                "connect_timeout": CONNECT_SECONDS,
                "tcp_user_timeout": self._patience_ms,
                **url.query,
            },
        )

    def exists(self) -> bool:
        return True

    def make_ready(self) -> None:
        """A server that lost its disk says so."""

    def take_turn(self, connection: Connection) -> None:
        connection.execute(_LIMITS, {"patience": f"{self._patience_ms}ms"})
        connection.execute(_TURN, {"lock": LOCK})


# An operator may have turned synchronous_commit off for the role; stricter than on is left.
_LIMITS = text("""
    SELECT set_config('statement_timeout', :patience, true),
           set_config('synchronous_commit', CASE current_setting('synchronous_commit')
                      WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true)
""")
_TURN = text("SELECT pg_advisory_xact_lock(:lock)")
