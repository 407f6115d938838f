"""Where the log is, as HEALER_AUDIT says it."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError

from healer.errors import AuditUnreadable, InvalidSettings
from healer.settings.names import expanded

AUDIT_ON = "sqlite:///healer-audit.db"
DRIVERS = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+psycopg"}


def database_url(audit: str) -> URL:
    """Raises InvalidSettings, in words that hold no password."""
    try:
        url = make_url(AUDIT_ON if audit.lower() == "on" else audit)
    except ArgumentError:
        url = None
    if url is None or url.drivername not in DRIVERS or not url.database:
        raise InvalidSettings(
            "HEALER_AUDIT", "must be sqlite:///FILE, postgresql://USER:PASSWORD@HOST/NAME or on"
        )
    if url.drivername == "sqlite" and (url.host or url.query or url.database == ":memory:"):
        raise InvalidSettings(
            "HEALER_AUDIT", "must name a file on this machine, such as sqlite:////var/lib/audit.db"
        )
    return _at_home(url.set(drivername=DRIVERS[url.drivername]))


def _at_home(url: URL) -> URL:
    if url.get_backend_name() != "sqlite" or url.database is None:
        return url
    try:
        return url.set(database=str(expanded(Path(url.database))))
    except ValueError as reason:
        raise InvalidSettings("HEALER_AUDIT", f"cannot be used: {reason}") from None


LOCK_TIMEOUT_SECONDS = 5.0  # for another writer, and for a statement
CONNECT_SECONDS = 3
LOCK = 0x4865616C6572  # "Healer", in ASCII: the advisory lock by which writers take turns
READS: Mapping[str, Any] = {"healer_reads": True, "postgresql_readonly": True}


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


def open_database(url: URL, patience: float, *, read_only: bool = False) -> Database:
    """`patience` in seconds; what takes longer fails. `read_only` alters nothing, so that copies
    can be read which cannot be written."""
    if url.get_backend_name() != "sqlite":
        return PostgreSQL(url, patience)
    return SQLiteForReading(url, patience) if read_only else SQLite(url, patience)


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


class SQLiteForReading(SQLite):
    """The same file, or a copy of it, as it lies there: also on a medium that takes no writes."""

    def __init__(self, url: URL, patience: float) -> None:
        super().__init__(url, patience)
        self._file = self._file.resolve()  # SQLite's other files lie beside it, not beside a link
        self._patience = patience
        self.engine = create_engine(
            "sqlite+pysqlite://", creator=self._connected, poolclass=NullPool, hide_parameters=True
        )
        event.listen(self.engine, "begin", _begin)

    def make_ready(self) -> None:
        raise PermissionError(errno.EROFS, "it was opened to be read")

    def _connected(self) -> sqlite3.Connection:
        """Raises AuditUnreadable where SQLite could not take in the newest records."""
        way = self._way()
        address = f"{self._file.as_uri()}?{way}"
        connection = sqlite3.connect(
            address, timeout=self._patience, uri=True, isolation_level=None
        )
        connection.execute("PRAGMA query_only = ON")
        try:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except sqlite3.OperationalError as error:
            connection.close()
            if way != READ_ONLY or error.sqlite_errorcode & 0xFF not in NOT_WRITABLE:
                raise
            raise AuditUnreadable(_newest_in(self._file)) from None
        return connection

    def _way(self) -> str:
        """Whoever opens a file in WAL mode makes two files beside it, and the last one to close a
        connection that could write takes them away again."""
        log, index = (Path(f"{self._file}{end}") for end in ("-wal", "-shm"))
        if log.exists() and (log.stat().st_size or index.exists()):
            return READ_ONLY  # it is being written, or was when it was copied
        if all(_is_writable(each) for each in (self._file, self._file.parent)):
            return "mode=rw"
        return "mode=ro&immutable=1"


READ_ONLY = "mode=ro"
NOT_WRITABLE = (sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY)


def _is_writable(path: Path) -> bool:
    return os.access(path, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def _newest_in(file: Path) -> str:
    return (
        f"its newest records are in {file.name}-wal, which SQLite takes in only where it may write "
        f"beside it; copy {file.name} and {file.name}-wal to a folder that can be written, and "
        "name the copy in HEALER_AUDIT"
    )


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
                # A database in SQL_ASCII, which the C locale brings, would give bytes for text.
                "client_encoding": "utf8",
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
