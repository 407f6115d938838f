"""Which series of an archive are done, and how far the others are: a table of the audit database.

Each step is committed before the next begins, and each can be repeated without harm, so that a
watcher that is killed loses nothing and does nothing twice.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Float,
    Integer,
    MetaData,
    String,
    Table,
    Update,
    and_,
    func,
    select,
)
from sqlalchemy.schema import Column

from healer.audit.database import READS
from healer.audit.records import SlideAnswerRecord
from healer.audit.store import Store, store_errors
from healer.hospital.archive import FoundSeries

TABLE = Table(
    "healer_watch",
    MetaData(),
    Column("archive", String, primary_key=True),
    Column("model", String, primary_key=True),
    Column("series", String, primary_key=True),
    Column("study", String),
    Column("state", String),
    Column("instances", Integer),
    Column("changed", Float),
    Column("due", Float),
    Column("attempts", Integer),
    Column("error", String),
)


class State(StrEnum):
    """`waiting` to be read; `answered` in its folder; `stored` in the archive; `done` where the
    record system has it too; `failed` until its files change or an operator says so."""

    WAITING = "waiting"
    ANSWERED = "answered"
    STORED = "stored"
    DONE = "done"
    FAILED = "failed"


OPEN = (State.STORED, State.ANSWERED, State.WAITING)  # what is nearest to its end first


@dataclass(frozen=True, slots=True)
class Entry:
    found: FoundSeries
    state: State
    attempts: int


class Ledger:
    """Of one archive and one model; with `records_answers` the database is the audit log too.
    Every method blocks, and raises AuditError."""

    def __init__(
        self, audit: str, archive: str, model: str, *, records_answers: bool = False
    ) -> None:
        self._records_answers = records_answers
        self._store = Store(audit)
        self._store.make_current()
        self._mine = and_(TABLE.c.archive == _key(archive), TABLE.c.model == _key(model))
        self._keys = {"archive": _key(archive), "model": _key(model)}

    def note(self, found: Iterable[FoundSeries], now: float) -> int:
        """Series that are new, or have other instances than before, wait to be read; how many."""
        seen = {each.series: each for each in found}
        with self._writing() as connection:
            known = self._known(connection, list(seen))
            new = [each for uid, each in seen.items() if uid not in known]
            changed = [
                each
                for uid, each in seen.items()
                if uid in known
                and None not in (each.instances, known[uid])
                and each.instances != known[uid]
            ]
            if new:
                connection.execute(TABLE.insert(), [self._row(each, now) for each in new])
            for each in changed:
                values = {**self._row(each, now), **self._keys}
                connection.execute(TABLE.update().where(self._one(each)).values(values))
        return len(new) + len(changed)

    def next_due(
        self, now: float, settled_before: float, states: tuple[State, ...]
    ) -> Entry | None:
        """What is nearest to its end first, then what has waited longest. A series whose files
        changed after `settled_before` may still be arriving."""
        for state in states:
            wanted = [self._mine, TABLE.c.state == state, TABLE.c.due <= now]
            if state is State.WAITING:
                wanted.append(TABLE.c.changed <= settled_before)
            query = select(TABLE).where(*wanted).order_by(TABLE.c.due, TABLE.c.series).limit(1)
            with self._reading() as connection:
                row = connection.execute(query).mappings().first()
            if row is not None:
                found = FoundSeries(row["study"], row["series"], row["instances"])
                return Entry(found, State(row["state"]), row["attempts"])
        return None

    def answered(self, entry: Entry, document: Mapping[str, Any]) -> None:
        """`document` is what `slide.json` says. The step and its record in the audit log are one
        transaction, so that each answer is recorded once."""
        if not self._records_answers:
            self.advance(entry, State.ANSWERED)
            return
        record = SlideAnswerRecord.of(document, entry.found.series)
        step = self._step(entry, state=State.ANSWERED, attempts=0, error=None)
        self._store.append(record, along=lambda connection: connection.execute(step))

    def advance(self, entry: Entry, state: State) -> None:
        self._set(entry, state=state, attempts=0, error=None)

    def postpone(self, entry: Entry, due: float, error: str) -> None:
        self._set(entry, due=due, attempts=entry.attempts + 1, error=error)

    def fail(self, entry: Entry, error: str) -> None:
        self._set(entry, state=State.FAILED, attempts=entry.attempts + 1, error=error)

    def retry_failed(self, now: float) -> None:
        failed = and_(self._mine, TABLE.c.state == State.FAILED)
        values = {"state": State.WAITING, "due": now, "attempts": 0}
        with self._writing() as connection:
            connection.execute(TABLE.update().where(failed).values(values))

    def counts(self) -> dict[str, int]:
        """Of every state."""
        query = select(TABLE.c.state, func.count()).where(self._mine).group_by(TABLE.c.state)
        with self._reading() as connection:
            found = {str(state): int(count) for state, count in connection.execute(query)}
        return {str(state): found.get(state, 0) for state in State}

    def close(self) -> None:
        self._store.close()

    def _known(self, connection: Connection, uids: list[str]) -> dict[str, int | None]:
        query = select(TABLE.c.series, TABLE.c.instances)
        rows = connection.execute(query.where(self._mine, TABLE.c.series.in_(uids)))
        return {row.series: row.instances for row in rows}

    def _row(self, found: FoundSeries, now: float) -> dict[str, object]:
        return {
            **self._keys,
            "series": found.series,
            "study": found.study,
            "state": State.WAITING,
            "instances": found.instances,
            "changed": now,
            "due": now,
            "attempts": 0,
            "error": None,
        }

    def _one(self, found: FoundSeries) -> ColumnElement[bool]:
        return and_(self._mine, TABLE.c.series == found.series)

    def _set(self, entry: Entry, **values: object) -> None:
        with self._writing() as connection:
            connection.execute(self._step(entry, **values))

    def _step(self, entry: Entry, **values: object) -> Update:
        return TABLE.update().where(self._one(entry.found)).values(values)

    @contextmanager
    def _writing(self) -> Iterator[Connection]:
        with store_errors():
            self._store.database.prepare_to_write()
            with self._store.engine.begin() as connection:
                yield connection

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with store_errors(), self._store.engine.execution_options(**READS).connect() as connection:
            yield connection


def _key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:32]
