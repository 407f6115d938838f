"""A job: a stream of tiles, and what becomes of their scores.

A tile that somebody waits for is a job of one, explained. A folder, an archive or a slide is a job
of many: scored only, collected by a reducer, at a lower priority.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Iterable
from contextlib import asynccontextmanager
from contextvars import copy_context
from dataclasses import dataclass
from enum import IntEnum
from threading import Lock
from typing import Protocol

from healer.errors.base import HealerError
from healer.errors.scheduling import DeadlineExceeded
from healer.images.tile import Tile
from healer.screening.screener import Score


@dataclass(frozen=True, slots=True)
class Deadline:
    """Until when an answer is of use. `at` is in the event loop's time, which no change of the
    clock moves."""

    seconds: float
    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        return cls(seconds, asyncio.get_running_loop().time() + seconds)

    @asynccontextmanager
    async def limit(self) -> AsyncIterator[None]:
        """Raises DeadlineExceeded."""
        timeout = asyncio.timeout_at(self.at)
        try:
            async with timeout:
                yield
        except TimeoutError:
            if timeout.expired():
                raise DeadlineExceeded(self.seconds) from None
            raise


@dataclass(frozen=True, slots=True)
class QueuePosition:
    position: int


@dataclass(frozen=True, slots=True)
class JobFinished:
    """Seconds that the job waited in the queue, and that its explanation took."""

    waited: float
    explained: float


JobEvent = QueuePosition | Score | str | JobFinished


class Priority(IntEnum):
    """Lower goes first."""

    INTERACTIVE = 0
    BULK = 1


class Reducer(Protocol):
    def add(self, index: int, result: Score | HealerError) -> None:
        """The tile at `index` of the stream, in no order. Called in worker threads, one call at a
        time."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class TileTask:
    """One tile of a job, at `index` of its stream."""

    job: Job
    index: int
    tile: Tile


class Job:
    """Of one event loop; only the methods that say so are for other threads.

    Without a reducer it is a job of one, created before its tile is there (see `set_tile`): its
    score and explanation are published. With one, the scores go to the reducer.
    """

    def __init__(
        self,
        number: int,
        deadline: Deadline | None = None,
        tiles: Iterable[Tile | HealerError] = (),
        reducer: Reducer | None = None,
    ) -> None:
        self.number = number
        self.deadline = deadline
        self.priority = Priority.INTERACTIVE if reducer is None else Priority.BULK
        self.tile: Tile | None = None
        self.finished = False  # no further events
        self.cancelled = False  # set on the loop; a worker's thread reads it between two steps
        self.exhausted = False  # its stream has no more tiles
        self.position: int | None = None  # as published last
        self.waited = 0.0
        self.context = copy_context()  # the request's, for what a worker logs about it
        self._tiles, self._reducer = enumerate(tiles), reducer
        self._unscored = 0  # tiles that workers hold
        self._lock = Lock()  # of the stream and the reducer
        self._enqueued_at = time.monotonic()
        self._loop = asyncio.get_running_loop()
        self._events: deque[JobEvent | Exception] = deque()
        self._published = asyncio.Event()
        self._wake_scheduled = False

    @property
    def explained(self) -> bool:
        return self._reducer is None

    def set_tile(self, tile: Tile) -> None:
        self.tile = tile
        self._tiles = enumerate([tile])
        self._enqueued_at = time.monotonic()

    def mark_dequeued(self) -> None:
        self.waited = time.monotonic() - self._enqueued_at
        if self.position is not None:
            self.move(0)

    def move(self, position: int) -> None:
        if position != self.position:
            self.position = position
            self.publish(QueuePosition(position))

    def next_tasks(self, most: int) -> list[TileTask]:
        """For a worker's thread. Blocks while the stream makes its next tiles; raises what it
        raises. A tile that the stream could not read goes to the reducer as its error."""
        with self._lock:
            tasks: list[TileTask] = []
            while len(tasks) < most and not (self.exhausted or self.cancelled):
                index, tile = next(self._tiles, (-1, None))
                if tile is None:
                    self.exhausted = True
                elif isinstance(tile, Tile):
                    tasks.append(TileTask(self, index, tile))
                elif self._reducer:
                    self._reducer.add(index, tile)
            self._unscored += len(tasks)
            self._finish_if_reduced()
            return tasks

    def resolve(self, task: TileTask, result: Score | HealerError) -> None:
        """For a worker's thread: a tile is scored, or why it cannot be."""
        if self._reducer is None:
            self.publish_from_thread(result)
            return
        with self._lock:
            self._reducer.add(task.index, result)
            self._unscored -= 1
            self._finish_if_reduced()

    def _finish_if_reduced(self) -> None:
        if self._reducer and self.exhausted and not (self._unscored or self.cancelled):
            self.publish_from_thread(JobFinished(self.waited, 0.0))

    def publish(self, event: JobEvent | Exception) -> None:
        self._events.append(event)
        self._published.set()

    def publish_from_thread(self, event: JobEvent | Exception) -> None:
        """For a worker's thread. Dropped where the loop has ended."""
        self._events.append(event)
        if not (self._wake_scheduled or self._loop.is_closed()):
            self._wake_scheduled = True  # one call for all events that come at once
            self._loop.call_soon_threadsafe(self._wake)

    async def events(self) -> AsyncGenerator[JobEvent, None]:
        """Until it is finished; raises what the job failed with, and DeadlineExceeded."""
        while not self.finished:
            event = await self._next_event()
            self.finished = isinstance(event, Exception | JobFinished)
            if isinstance(event, Exception):
                raise event
            yield event

    async def _next_event(self) -> JobEvent | Exception:
        while not self._events:
            self._published.clear()
            if self.deadline is None:
                await self._published.wait()
                continue
            async with self.deadline.limit():
                await self._published.wait()
        return self._events.popleft()

    def _wake(self) -> None:
        self._wake_scheduled = False
        self._published.set()
