"""The log itself: links appended one after another, read back in order."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from traceback import walk_tb

import structlog
from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    MetaData,
    RowMapping,
    String,
    Table,
    Text,
    select,
)
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from healer.audit.chain import SEARCH_COLUMNS, Head, Link, linked
from healer.audit.database import (
    LOCK_TIMEOUT_SECONDS,
    READS,
    database_url,
    latest_schema,
    open_database,
    require_current,
    upgrade_schema,
)
from healer.audit.records import Record
from healer.errors.audit import AuditUnavailable
from healer.errors.base import HealerError

log = structlog.get_logger(__name__)

# A store that has just failed is not tried again for this long: others would queue up behind it.
PAUSE_SECONDS = 1.0
CHUNK = 1000
Along = Callable[[Connection], object]
DRIVER_ERRORS = {
    "OperationalError": "the database does not answer",
    "ConnectionTimeout": "the database does not answer",
    "QueryCanceled": "the database took too long",
}

TABLE = Table(
    "healer_audit",
    MetaData(),
    Column("sequence", BigInteger, primary_key=True),
    Column("previous", String),
    Column("hash", String),
    Column("kind", String),
    Column("request_id", String),
    Column("file_sha256", String),
    Column("pixels_sha256", String),
    Column("body", Text),
)


class Store:
    """Every method blocks, and raises AuditUnavailable or AuditOutdated."""

    def __init__(
        self, audit: str, timeout: float = LOCK_TIMEOUT_SECONDS, *, read_only: bool = False
    ) -> None:
        self.database = open_database(database_url(audit), timeout, read_only=read_only)
        self._timeout = timeout
        self.engine = self.database.engine
        self._turn = threading.Lock()
        self._current = False
        self._failed: tuple[float, AuditUnavailable] | None = None

    def append(self, *records: Record, along: Along = lambda _: None) -> list[Link]:
        """All of them or none, with what `along` writes in the same transaction; committed, and
        safe from a crash, when this returns."""
        with self._one_at_a_time(), self._fail_fast(), store_errors():
            self.make_current()
            with self.engine.begin() as connection:
                self.database.lock_for_append(connection)
                links = _linked(records, _head(connection))
                connection.execute(TABLE.insert(), [_row(link) for link in links])
                along(connection)
            return links

    def make_current(self) -> None:
        """Upgrade the tables where the database is ours alone, or see that they are current."""
        with store_errors():
            self.database.prepare_to_write()
            if not self._current:
                self._bring_up()
            self._current = True

    def _bring_up(self) -> None:
        with self.engine.begin() as connection:
            if self.database.auto_upgrade:
                upgrade_schema(connection)
            else:
                require_current(connection)

    def upgrade(self) -> str:
        """Bring the tables to the newest version, and return it."""
        with store_errors():
            self.database.prepare_to_write()
            with self.engine.begin() as connection:
                self.database.lock_for_append(connection)
                upgrade_schema(connection)
            return latest_schema()

    def links(self) -> Generator[Link, None, None]:
        """Every record, oldest first, as it was when the reading began."""
        in_order = select(TABLE).order_by(TABLE.c.sequence).execution_options(yield_per=CHUNK)
        with self._reading() as connection, connection.execute(in_order) as rows:
            for row in rows.mappings():
                yield _link(row)

    def answer(self, request_id: str) -> Link | None:
        """The newest answer with this request id."""
        found = self._answers(TABLE.c.request_id == request_id)
        return found[-1] if found else None

    def answers_for(self, file_sha256: str, pixels_sha256: str) -> list[Link]:
        """Answers for this file or these pixels, oldest first."""
        return self._answers(
            (TABLE.c.file_sha256 == file_sha256) | (TABLE.c.pixels_sha256 == pixels_sha256)
        )

    def close(self) -> None:
        self.engine.dispose()

    def _answers(self, which: ColumnElement[bool]) -> list[Link]:
        answers = select(TABLE).where(TABLE.c.kind == "answer", which).order_by(TABLE.c.sequence)
        with self._reading() as connection:
            return [_link(row) for row in connection.execute(answers).mappings()]

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        if not self.database.exists():
            raise AuditUnavailable("there is no such file")
        reading = self.engine.execution_options(**READS)
        with store_errors(), reading.connect() as connection:
            require_current(connection)
            yield connection

    @contextmanager
    def _one_at_a_time(self) -> Iterator[None]:
        if not self._turn.acquire(timeout=self._timeout):
            raise AuditUnavailable("too many answers wait to be recorded")
        try:
            yield
        finally:
            self._turn.release()

    @contextmanager
    def _fail_fast(self) -> Iterator[None]:
        if self._failed and time.monotonic() < self._failed[0]:
            raise self._failed[1]
        try:
            yield
        except AuditUnavailable as error:
            self._failed = time.monotonic() + PAUSE_SECONDS, error
            self._current = False
            raise
        self._failed = None


@contextmanager
def store_errors() -> Iterator[None]:
    """What a database says goes to the log; a client gets the kind of failure."""
    try:
        yield
    except HealerError:
        raise
    except DBAPIError as error:
        lines = str(error.orig).strip().splitlines()
        log.error("audit store", error=type(error.orig).__name__, detail=lines[0] if lines else "")
        raise AuditUnavailable(_kind(error)) from None
    except (SQLAlchemyError, OSError) as error:
        reason = (error.strerror if isinstance(error, OSError) else None) or type(error).__name__
        log.error("audit store", error=type(error).__name__, detail=reason)
        raise AuditUnavailable(reason) from None
    except Exception as error:  # drivers raise what they will, and serving must go on
        kind = type(error).__name__
        # Not what it says: that can hold a part of a record.
        log.error("audit store", error=kind, where=_where(error))
        raise AuditUnavailable(f"its database or driver failed in its own way ({kind})") from None


def _where(error: Exception) -> str:
    *_, (frame, line) = walk_tb(error.__traceback__)
    return f"{frame.f_code.co_filename}:{line}"


def _kind(error: DBAPIError) -> str:
    """SQLite's own words name nothing; PostgreSQL's name hosts and users."""
    if type(error.orig).__module__.startswith("sqlite3"):
        return str(error.orig)
    name = type(error.orig).__name__
    return DRIVER_ERRORS.get(name, f"PostgreSQL says {name}")


def _head(connection: Connection) -> Head:
    newest = select(TABLE.c.sequence, TABLE.c.hash).order_by(TABLE.c.sequence.desc()).limit(1)
    row = connection.execute(newest).first()
    return Head(row.sequence, row.hash) if row else Head()


def _linked(records: Sequence[Record], head: Head) -> list[Link]:
    links = []
    for record in records:
        links.append(linked(record, head))
        head = Head(links[-1].sequence, links[-1].hash)
    return links


def _row(link: Link) -> dict[str, object]:
    return {**link.search_columns, "previous": link.previous, "hash": link.hash, "body": link.body}


def _link(row: RowMapping) -> Link:
    search_columns = {name: row[name] for name in SEARCH_COLUMNS}
    return Link(row["sequence"], row["previous"], row["hash"], row["body"], search_columns)
