"""Slides that wait to be read, one after another; a reading outlives the service that began it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog
from prometheus_client import CollectorRegistry

from healer.answer import new_request_id
from healer.errors.base import HealerError, InternalError
from healer.errors.slides import SlideReplaced
from healer.errors.worklist import SlideBeingRead, SlideNotBeingRead, SlideUnknown
from healer.problem import Problem
from healer.slides.run import Progress
from healer.worklist.catalogue import Catalogue, SlideEntry
from healer.worklist.database import WorklistDatabase
from healer.worklist.feed import Feed
from healer.worklist.metrics import Outcome, ReadingMetrics
from healer.worklist.records import (
    WAITING,
    Json,
    ReadSummary,
    SlideRecord,
    SlideState,
)
from healer.worklist.results import TileMap

log = structlog.get_logger(__name__)

PROGRESS_SECONDS = 0.25  # between two that are published
TICK_SECONDS = 1.0
OnFinished = Callable[[SlideEntry, Json, str | None], str | None]  # and for whom it was read


class ReadingInterrupted(Exception):
    """The slide is left for later; what was read stays."""


@dataclass(slots=True)
class Reading:
    """The slide that is being read. `stop` is why it is to end early."""

    id: str
    began: float = field(default_factory=time.monotonic)
    progress: Progress | None = None
    published: float = 0.0
    stop: SlideState | None = None
    map: TileMap | None = None
    regions: Sequence[Json] = ()

    def tiles_per_second(self) -> float | None:
        if self.progress is None or self.progress.done <= self.progress.kept:
            return None
        return (self.progress.done - self.progress.kept) / (time.monotonic() - self.began)

    def as_json(self) -> Json | None:
        progress, rate = self.progress, self.tiles_per_second()
        if progress is None:
            return None
        left = None if rate is None else (progress.total - progress.done) / rate
        return {
            "done": progress.done,
            "total": progress.total,
            "kept": progress.kept,
            "tiles_per_second": rate and round(rate, 2),
            "seconds_left": left if left is None else round(left, 1),
        }


class SlideAnswerer(Protocol):
    """What reads a slide: a model, and its options."""

    def ready(self) -> bool: ...

    def answer(self, entry: SlideEntry, mpp: float | None, hooks: ReadingHooks) -> Json:
        """What `slide.json` says. Raises HealerError, and what the hooks raise."""
        ...

    def discard(self, slide_id: str) -> None:
        """What was read of it may be of two files."""
        ...


class ReadingHooks(Protocol):
    """Called in the thread that reads. `progressed` and `check` raise ReadingInterrupted."""

    def progressed(self, progress: Progress) -> None: ...

    def check(self) -> None: ...

    def mapped(self, tiles: TileMap, regions: Sequence[Json]) -> None: ...


class Readings:
    """Every method may be called from any thread."""

    def __init__(
        self,
        catalogue: Catalogue,
        database: WorklistDatabase,
        answerer: SlideAnswerer,
        feed: Feed,
        on_finished: OnFinished = lambda _entry, _document, _caller: None,
        on_tick: Callable[[], None] = lambda: None,
        metrics: ReadingMetrics | None = None,
    ) -> None:
        self._catalogue, self._database, self._answerer = catalogue, database, answerer
        self._feed, self._on_finished, self._on_tick = feed, on_finished, on_tick
        self._metrics = metrics or ReadingMetrics(CollectorRegistry())
        self._metrics.watch_waiting(self._count_waiting)
        self._changed = threading.Condition()
        self._records = {record.id: record for record in database.records()}
        self._paused = database.paused()
        self._current: Reading | None = None
        self._stopping = False
        self._seconds: list[float] = []  # of the last slides, each
        self._thread = threading.Thread(target=self._run, name="slides", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    def record(self, slide_id: str) -> SlideRecord:
        return self._records.get(slide_id) or SlideRecord(id=slide_id)

    def current(self, slide_id: str) -> Reading | None:
        reading = self._current
        return reading if reading and reading.id == slide_id and reading.stop is None else None

    def submit(self, slide_id: str, mpp: float | None, by: str | None) -> None:
        """`by`: who is to have it read, where that is known. Raises SlideBeingRead."""
        with self._changed:
            if self.record(slide_id).state in WAITING:
                raise SlideBeingRead
            self._enqueue([slide_id], mpp, by)

    def submit_all(self, slide_ids: Iterable[str], mpp: float | None, by: str | None) -> int:
        """How many of them were not waiting already."""
        with self._changed:
            wanted = [each for each in slide_ids if self.record(each).state not in WAITING]
            self._enqueue(wanted, mpp, by)
            return len(wanted)

    def cancel(self, slide_id: str) -> None:
        """What was read stays, and a new start goes on from there. Raises SlideNotBeingRead."""
        with self._changed:
            if self.record(slide_id).state not in WAITING:
                raise SlideNotBeingRead
            self._cancel([slide_id])

    def cancel_all(self) -> int:
        with self._changed:
            waiting = [record.id for record in self._waiting()]
            self._cancel(waiting)
            return len(waiting)

    def pause(self, paused: bool) -> None:
        """The slide that is being read waits too."""
        with self._changed:
            self._paused = paused
            self._database.set_paused(paused)
            if paused and self._current and self._current.stop is None:
                self._current.stop = SlideState.QUEUED
                self._save(self.record(self._current.id).changed(state=SlideState.QUEUED))
            self._changed.notify_all()

    def queue_json(self) -> Json:
        with self._changed:
            waiting = len(self._waiting())
            return {
                "paused": self._paused,
                "waiting": waiting,
                "seconds_left": self._seconds_left(waiting),
            }

    def under_way(self) -> Json | None:
        """The slide that is being read, and how far."""
        reading = self._current
        if reading is None or reading.stop is not None:
            return None
        return {"id": reading.id, "progress": reading.as_json()}

    def audited(self, slide_id: str, link: str) -> None:
        with self._changed:
            self._save(self.record(slide_id).model_copy(update={"audited": link}))

    def _seconds_left(self, waiting: int) -> float | None:
        if not waiting:
            return 0.0
        progress = self._current.as_json() if self._current else None
        current = progress["seconds_left"] if progress else None
        if waiting == 1 and current is not None:
            return float(current)
        if not self._seconds:
            return None
        each = sum(self._seconds) / len(self._seconds)
        return round(each * (waiting - (current is not None)) + (current or 0.0), 1)

    def _waiting(self) -> list[SlideRecord]:
        """In the order in which they are read."""
        waiting = (record for record in self._records.values() if record.state in WAITING)
        return sorted(waiting, key=lambda record: record.number)

    def _count_waiting(self) -> int:
        """Without the lock: a scrape must not wait for the database."""
        return sum(record.state in WAITING for record in list(self._records.values()))

    def _enqueue(self, slide_ids: Sequence[str], mpp: float | None, by: str | None) -> None:
        last = max((record.number for record in self._records.values()), default=0)
        queued = [
            (record := self.record(slide_id)).changed(
                state=SlideState.QUEUED,
                problem=None,
                number=number,
                mpp=mpp if mpp is not None else record.mpp,
                requested_by=by,
            )
            for number, slide_id in enumerate(slide_ids, start=last + 1)
        ]
        self._save(*queued)
        self._changed.notify_all()

    def _cancel(self, slide_ids: Sequence[str]) -> None:
        records = [self.record(each).changed(state=SlideState.CANCELLED) for each in slide_ids]
        if self._current and self._current.id in slide_ids:
            self._current.stop = SlideState.CANCELLED
        self._save(*records)

    def _save(self, *records: SlideRecord) -> None:
        self._database.save(*records)
        self._records |= {record.id: record for record in records}
        for record in records:
            self._feed.publish(record.id, "state")
            if record.state is SlideState.CANCELLED:
                self._feed.end(record.id)

    def _run(self) -> None:
        while reading := self._next():
            try:
                self._finish(reading, self._read(reading))
            except Exception as error:  # the next slide must be read all the same
                log.exception("reading a slide failed", slide=reading.id)
                self._finish(reading, self._failed(reading, InternalError(type(error).__name__)))

    def _next(self) -> Reading | None:
        """None when the service stops."""
        with self._changed:
            while not self._stopping:
                waiting = [] if self._paused else self._waiting()
                if waiting and self._answerer.ready():
                    self._current = Reading(waiting[0].id)
                    self._save(waiting[0].changed(state=SlideState.READING))
                    return self._current
                self._changed.wait(TICK_SECONDS)
                self._on_tick()
        return None

    def _read(self, reading: Reading) -> SlideRecord | None:
        """The slide's new record; None where it is left for later."""
        record = self.record(reading.id)
        try:
            entry = self._catalogue.entry(reading.id)
            before = entry.stamp_now()
            document = self._answered(entry, before, _Hooks(self, reading))
            audited = self._on_finished(entry, document, record.requested_by)
        except ReadingInterrupted:
            return None
        except HealerError as error:
            log.info("slide not read", slide=reading.id, code=error.code)
            return self._failed(reading, error)
        return record.changed(
            state=SlideState.READ,
            stamp=before,
            problem=None,
            summary=ReadSummary.of(document),
            audited=audited,
        )

    def _answered(self, entry: SlideEntry, stamp: str, hooks: ReadingHooks) -> Json:
        """Raises SlideReplaced, whatever else went wrong, where the file is another by the end."""
        try:
            return self._answerer.answer(entry, self.record(entry.id).mpp, hooks)
        finally:
            if entry.stamp_now() != stamp:
                self._answerer.discard(entry.id)
                raise SlideReplaced

    def _failed(self, reading: Reading, error: HealerError) -> SlideRecord:
        problem = Problem.of(error, new_request_id()).model_dump(mode="json")
        stamp = self._stamp_of(reading.id)
        record = self.record(reading.id)
        return record.changed(state=SlideState.FAILED, problem=problem, stamp=stamp)

    def _stamp_of(self, slide_id: str) -> str | None:
        try:
            return self._catalogue.entry(slide_id).stamp_now()
        except SlideUnknown:
            return None

    def _finish(self, reading: Reading, record: SlideRecord | None) -> None:
        with self._changed:
            self._current = None
            self._metrics.ended(_outcome(reading, record), time.monotonic() - reading.began)
            if reading.stop is not None:  # its record says so already
                return
            if record is None:
                self._save(self.record(reading.id).changed(state=SlideState.QUEUED))
                return
            self._seconds = [*self._seconds[-9:], time.monotonic() - reading.began]
            self._save(record)
            read = record.state is SlideState.READ
            self._feed.publish(reading.id, "finished" if read else "failed")
            self._feed.end(reading.id)

    def progressed(self, reading: Reading, progress: Progress) -> None:
        """Raises ReadingInterrupted."""
        before = reading.progress.done if reading.progress else progress.kept
        self._metrics.tiles_read(progress.done - before)
        reading.progress = progress
        self.check(reading)
        now = time.monotonic()
        if now - reading.published >= PROGRESS_SECONDS or progress.done == progress.total:
            reading.published = now
            self._feed.publish(reading.id, "progress", reading.as_json() or {})

    def check(self, reading: Reading) -> None:
        """Raises ReadingInterrupted."""
        if self._stopping or reading.stop is not None:
            raise ReadingInterrupted

    def mapped(self, reading: Reading, tiles: TileMap, regions: Sequence[Json]) -> None:
        reading.map, reading.regions = tiles, regions
        self._feed.publish(reading.id, "map", {"version": tiles.version})
        self._feed.publish(reading.id, "regions", {"regions": list(regions)})


def _outcome(reading: Reading, record: SlideRecord | None) -> Outcome:
    if reading.stop is SlideState.CANCELLED:
        return "cancelled"
    if reading.stop is not None or record is None:
        return "interrupted"
    return "read" if record.state is SlideState.READ else "failed"


@dataclass(frozen=True, slots=True)
class _Hooks:
    readings: Readings
    reading: Reading

    def progressed(self, progress: Progress) -> None:
        self.readings.progressed(self.reading, progress)

    def check(self) -> None:
        self.readings.check(self.reading)

    def mapped(self, tiles: TileMap, regions: Sequence[Json]) -> None:
        self.readings.mapped(self.reading, tiles, regions)


def counts(states: Iterable[SlideState]) -> Mapping[str, int]:
    counted = dict.fromkeys(map(str, SlideState), 0)
    for state in states:
        counted[str(state)] += 1
    return counted
