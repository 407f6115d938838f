"""Where the log is, as HEALER_AUDIT names it, and the version of its tables: Alembic's."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

import structlog
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, NullPool, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError

from healer.errors.audit import AuditOutdated, AuditUnreadable
from healer.errors.base import InvalidSettings
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
    auto_upgrade: bool

    def exists(self) -> bool:
        """Whether there is anything to read; sends no server a query."""
        ...

    def prepare_to_write(self) -> None:
        """Before every write. Raises OSError where what is written would be lost."""
        ...

    def lock_for_append(self, connection: Connection) -> None:
        """Until this transaction ends nobody else appends, and its commit will be durable."""
        ...


def open_database(url: URL, timeout: float, *, read_only: bool = False) -> Database:
    """`timeout` in seconds; what takes longer fails. `read_only` alters nothing, so that copies
    can be read which cannot be written."""
    if url.get_backend_name() != "sqlite":
        return PostgreSQL(url, timeout)
    return SQLiteForReading(url, timeout) if read_only else SQLite(url, timeout)


class SQLite:
    """A file in WAL mode with synchronous=FULL: a commit is on the disk before it returns."""

    auto_upgrade = True

    def __init__(self, url: URL, timeout: float) -> None:
        self._file = Path(str(url.database)).absolute()
        self._seen: os.stat_result | None = None
        self.engine = create_engine(
            url.set(database=str(self._file)),
            hide_parameters=True,
            connect_args={"timeout": timeout},
        )
        event.listen(self.engine, "connect", _prepare)
        event.listen(self.engine, "begin", _begin)

    def exists(self) -> bool:
        return self._file.is_file()

    def prepare_to_write(self) -> None:
        """A file that was deleted under SQLite takes writes all the same, and keeps none."""
        if self._seen is None:
            os.close(os.open(self._file, os.O_RDWR | os.O_CREAT, 0o600))
            self._seen = self._file.stat()
        if not self.exists() or not os.path.samestat(self._seen, self._file.stat()):
            raise FileNotFoundError(0, "its file was taken away; put it back and restart Healer")

    def lock_for_append(self, connection: Connection) -> None:
        """`_begin` has done it."""


class SQLiteForReading(SQLite):
    """The same file, or a copy of it, as it lies there: also on a medium that takes no writes."""

    def __init__(self, url: URL, timeout: float) -> None:
        super().__init__(url, timeout)
        self._file = self._file.resolve()  # SQLite's other files lie beside it, not beside a link
        self._timeout = timeout
        self.engine = create_engine(
            "sqlite+pysqlite://", creator=self._connected, poolclass=NullPool, hide_parameters=True
        )
        event.listen(self.engine, "begin", _begin)

    def prepare_to_write(self) -> None:
        raise PermissionError(errno.EROFS, "it was opened to be read")

    def _connected(self) -> sqlite3.Connection:
        """Raises AuditUnreadable where SQLite could not take in the newest records."""
        way = self._way()
        address = f"{self._file.as_uri()}?{way}"
        connection = sqlite3.connect(address, timeout=self._timeout, uri=True, isolation_level=None)
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
        """Opening a file in WAL mode makes two files beside it, and the last process to close a
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
    auto_upgrade = False  # so that the role that serves need not own the table

    def __init__(self, url: URL, timeout: float) -> None:
        self._timeout_ms = int(timeout * 1000)
        self.engine = create_engine(
            url,
            hide_parameters=True,
            pool_pre_ping=True,
            pool_timeout=timeout,
            connect_args={
                "application_name": "healer",
                "connect_timeout": CONNECT_SECONDS,
                "tcp_user_timeout": self._timeout_ms,
                **url.query,
                # A database in SQL_ASCII, which the C locale brings, would give bytes for text.
                "client_encoding": "utf8",
            },
        )

    def exists(self) -> bool:
        return True

    def prepare_to_write(self) -> None:
        """A server that lost its disk fails the write itself."""

    def lock_for_append(self, connection: Connection) -> None:
        connection.execute(_LIMITS, {"timeout": f"{self._timeout_ms}ms"})
        connection.execute(_TURN, {"lock": LOCK})


# An operator may have turned synchronous_commit off for the role; stricter than on is left.
_LIMITS = text("""
    SELECT set_config('statement_timeout', :timeout, true),
           set_config('synchronous_commit', CASE current_setting('synchronous_commit')
                      WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true)
""")
_TURN = text("SELECT pg_advisory_xact_lock(:lock)")


VERSION_TABLE = "healer_audit_version"
log = structlog.get_logger(__name__)


def upgrade_schema(connection: Connection) -> None:
    """Bring the tables to the newest version; raises AuditOutdated where they are newer still."""
    before = current_schema(connection)
    _known(before)
    if before == latest_schema():
        return
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
    log.info("audit log upgraded", found=before or "none", version=latest_schema())


def require_current(connection: Connection) -> None:
    """Raises AuditOutdated."""
    if (version := current_schema(connection)) != latest_schema():
        raise AuditOutdated(version or "none", latest_schema())


def current_schema(connection: Connection) -> str | None:
    options = {"version_table": VERSION_TABLE}
    return MigrationContext.configure(connection, opts=options).get_current_revision()


def latest_schema() -> str:
    return ScriptDirectory.from_config(_config()).get_current_head() or ""


def _known(version: str | None) -> None:
    versions = {
        script.revision for script in ScriptDirectory.from_config(_config()).walk_revisions()
    }
    if version is not None and version not in versions:
        raise AuditOutdated(version, latest_schema())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.set_main_option("version_table", VERSION_TABLE)
    config.set_main_option("path_separator", "os")
    return config
