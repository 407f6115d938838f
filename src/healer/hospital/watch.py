"""Watches an archive: new series are found, read, and their results stored, each once."""

from __future__ import annotations

import math
import random
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from pathlib import Path

import structlog
from limits import RateLimitItem
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from healer.errors.audit import AuditError, AuditUnavailable
from healer.errors.base import HealerError, ShuttingDown
from healer.errors.hospital import ArchiveFull, ArchiveRefused, ArchiveUnreachable, FhirUnavailable
from healer.errors.slides import SlideRunMismatch, SlideSeriesIncomplete
from healer.hospital.archive import NOT_ALLOWED, PAGE, Archive
from healer.hospital.hours import Hours
from healer.hospital.ledger import OPEN, Entry, Ledger, State
from healer.hospital.results import stored_files
from healer.hospital.source import DicomSource
from healer.slides.members import log_key
from healer.slides.slide_screener import Json, SlideScreener

log = structlog.get_logger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 5.0, 900.0  # seconds between attempts
MOST_ATTEMPTS = 20  # at one series, for what may pass by itself
# The archive's or the record system's trouble, and not that of one slide.
OUTSIDE = (ArchiveUnreachable, ArchiveFull, FhirUnavailable)
RATE = "slides"


def back_off(attempts: int) -> float:
    """Seconds; twice as long each time, with jitter, so that many watchers do not come at once."""
    longest: float = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(attempts, 16))
    return longest * random.uniform(0.5, 1)  # noqa: S311 - no secret


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """`every` is how often the archive is searched, `settle` how long a series must have had no new
    files before it is read. `discard` removes a slide's folder when all of it is stored."""

    every: float = 60.0
    settle: float = 60.0
    hours: Hours | None = None
    rate: RateLimitItem | None = None
    discard: bool = False


@dataclass
class WatchState:
    """What /health and /metrics say; `counts` by state of the ledger."""

    counts: dict[str, int] = field(default_factory=dict)
    last_poll: float | None = None
    problem: str | None = None
    reading: bool = False
    answered: int = 0


@dataclass
class Watcher:
    """One for an output folder. `clock` is the time in seconds."""

    archive: Archive
    source: DicomSource
    screener: SlideScreener
    ledger: Ledger
    options: WatchOptions = field(default_factory=WatchOptions)
    state: WatchState = field(default_factory=WatchState)
    stop: threading.Event = field(default_factory=threading.Event)
    clock: Callable[[], float] = time.time
    _limiter: MovingWindowRateLimiter = field(
        default_factory=lambda: MovingWindowRateLimiter(MemoryStorage())
    )

    def run(self, *, once: bool = False) -> None:
        """Until `stop` is set, or with `once` until nothing is left that can be done now. Raises
        ArchiveRefused where access is denied, and AuditError where its tables cannot be used."""
        failures = 0
        while not self.stop.is_set():
            next_poll = self.clock() + self.options.every
            try:
                self._poll()
                self._work(math.inf if once else next_poll)
                failures = 0
                self.state.problem = None
                pause = max(0.0, next_poll - self.clock())  # none where more waits to be read
            except (*OUTSIDE, AuditUnavailable) as error:
                if once:
                    raise
                pause = back_off(failures)
                failures += 1
                self.state.problem = error.code
                log.warning("watching goes on later", problem=error.code, seconds=round(pause))
            if once:
                return
            self.stop.wait(pause)

    def _poll(self) -> None:
        """A page of series at a time, however many there are."""
        series, new = self.archive.slides(), 0
        while page := list(islice(series, PAGE)):
            new += self.ledger.note(page, self.clock())
        self.state.last_poll = self.clock()
        self.state.counts = self.ledger.counts()
        if new:
            log.info("series found", new=new, waiting=self.state.counts[State.WAITING])

    def _work(self, until: float) -> None:
        while not self.stop.is_set() and (entry := self._next()):
            try:
                self._take_on(entry)
            finally:
                self.state.counts = self.ledger.counts()
            if self.clock() >= until:  # new series may be more pressing
                return

    def _next(self) -> Entry | None:
        """What was read already is stored at any hour."""
        now = self.clock()
        states = OPEN if self._may_read(now) else OPEN[:-1]
        return self.ledger.next_due(now, now - self.options.settle, states)

    def _may_read(self, now: float) -> bool:
        hours, rate = self.options.hours, self.options.rate
        if hours and not hours.holds(datetime.fromtimestamp(now).astimezone().time()):
            return False
        return rate is None or self._limiter.test(rate, RATE)

    def _take_on(self, entry: Entry) -> None:
        """One step of one series, and the next ones as far as they go."""
        try:
            if entry.state is State.WAITING:
                self.ledger.answered(entry, self._read(entry))
            if entry.state in (State.WAITING, State.ANSWERED):
                self.archive.store(stored_files(self._folder(entry)))
                self.ledger.advance(entry, State.STORED)
            self.source.post(self._folder(entry))
            self.ledger.advance(entry, State.DONE)
            log.info("series done", slide=log_key(entry.found.series))
        except AuditError:
            raise
        except OUTSIDE as error:
            self.ledger.postpone(entry, self.clock(), error.code)
            raise
        except HealerError as error:
            self._set_aside(entry, error)
        else:
            if self.options.discard:
                shutil.rmtree(self._folder(entry), ignore_errors=True)

    def _read(self, entry: Entry) -> Json:
        if self.options.rate:
            self._limiter.hit(self.options.rate, RATE)
        slide = self.source.expect(entry.found)
        with self._reading():
            try:
                document = self.screener.answer(slide)
            except SlideRunMismatch:  # its files or the model changed since it was read
                shutil.rmtree(self._folder(entry), ignore_errors=True)
                document = self.screener.answer(slide)
        self.state.answered += 1
        return document

    @contextmanager
    def _reading(self) -> Iterator[None]:
        self.state.reading = True
        try:
            yield
        finally:
            self.state.reading = False

    def _set_aside(self, entry: Entry, error: HealerError) -> None:
        """One slide's trouble is its own: what may pass is tried again later."""
        denied = isinstance(error, ArchiveRefused) and error.answered in NOT_ALLOWED
        if denied or isinstance(error, ShuttingDown):
            raise error
        passes = error.retryable or isinstance(error, SlideSeriesIncomplete)
        if passes and entry.attempts < MOST_ATTEMPTS:
            self.ledger.postpone(entry, self.clock() + back_off(entry.attempts), error.code)
        else:
            self.ledger.fail(entry, error.code)
        log.warning(
            "series not done",
            slide=log_key(entry.found.series),
            problem=error.code,
            attempts=entry.attempts + 1,
            again=passes,
        )

    def _folder(self, entry: Entry) -> Path:
        return self.screener.out / entry.found.series
