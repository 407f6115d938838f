"""Where the worklist is kept: one SQLite file beside the slides' results."""

from __future__ import annotations

import os
import secrets
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from healer.errors.worklist import ResultsUnusable
from healer.worklist.records import SlideRecord, SlideReview

FILE = "worklist.db"
TABLES = """
    CREATE TABLE IF NOT EXISTS setting (name TEXT PRIMARY KEY, value TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS slide (id TEXT PRIMARY KEY, record TEXT NOT NULL);
    CREATE TABLE IF NOT EXISTS review (
        number INTEGER PRIMARY KEY AUTOINCREMENT, slide TEXT NOT NULL, review TEXT NOT NULL
    );
"""
KEY, PAUSED = "key", "paused"


class WorklistDatabase:
    """For several threads; of one service. Raises ResultsUnusable."""

    def __init__(self, folder: Path) -> None:
        self._lock = threading.Lock()
        with _errors():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            place = folder / FILE
            os.close(os.open(place, os.O_RDWR | os.O_CREAT, 0o600))
            self._connection = sqlite3.connect(place, timeout=5, check_same_thread=False)
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._connection.execute("PRAGMA synchronous = FULL")
            self._connection.executescript(TABLES)

    def key(self) -> bytes:
        """Of the slides' ids: made once, so that an address holds after a restart."""
        value = self._setting(KEY)
        if value is None:
            value = secrets.token_hex(32)
            self._set(KEY, value)
        return bytes.fromhex(value)

    def paused(self) -> bool:
        return self._setting(PAUSED) == "yes"

    def set_paused(self, paused: bool) -> None:
        self._set(PAUSED, "yes" if paused else "no")

    def records(self) -> Iterator[SlideRecord]:
        with self._transaction() as connection:
            rows = connection.execute("SELECT record FROM slide").fetchall()
        for (text,) in rows:
            yield SlideRecord.model_validate_json(text)

    def save(self, *records: SlideRecord) -> None:
        rows = [(record.id, record.model_dump_json()) for record in records]
        with self._transaction() as connection:
            connection.executemany("INSERT OR REPLACE INTO slide VALUES (?, ?)", rows)

    def reviews(self) -> Iterator[SlideReview]:
        """Oldest first."""
        with self._transaction() as connection:
            rows = connection.execute("SELECT review FROM review ORDER BY number").fetchall()
        for (text,) in rows:
            yield SlideReview.model_validate_json(text)

    def add_review(self, review: SlideReview) -> None:
        row = (review.slide, review.model_dump_json())
        with self._transaction() as connection:
            connection.execute("INSERT INTO review (slide, review) VALUES (?, ?)", row)

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def _setting(self, name: str) -> str | None:
        with self._transaction() as connection:
            row = connection.execute("SELECT value FROM setting WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def _set(self, name: str, value: str) -> None:
        with self._transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO setting VALUES (?, ?)", (name, value))

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock, _errors(), self._connection:
            yield self._connection


@contextmanager
def _errors() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ResultsUnusable(error.strerror or type(error).__name__) from None
    except sqlite3.Error as error:
        raise ResultsUnusable(str(error)) from None
