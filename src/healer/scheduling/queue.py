"""Jobs that wait for a worker, first come first served within a priority; and how many may."""

from __future__ import annotations

import asyncio
import math
from bisect import insort
from collections import deque
from collections.abc import Callable, Iterable
from itertools import count
from operator import attrgetter

from healer.errors.base import HealerError
from healer.images.tile import Tile
from healer.scheduling.job import Deadline, Job, Reducer


class RequestQueue:
    """Of one event loop.

    A place is reserved before its image is decoded, so that nothing is done for a request that
    would be refused, and is held from then until a worker dequeues the job. Jobs of many tiles
    hold no place: they get a worker for one batch at a time, in turn, while no tile waits.
    """

    def __init__(self, capacity: int, on_change: Callable[[int], None] = lambda _: None) -> None:
        self._capacity = capacity
        self._numbers = count()
        self._reserved: set[Job] = set()
        self._waiting: list[Job] = []
        self._bulk: deque[Job] = deque()
        self._changed = asyncio.Event()
        self._idle = 0  # workers that wait for a tile
        self._on_change = on_change

    @property
    def reserved(self) -> int:
        """Places taken, by tiles that wait and by images that are still decoded."""
        return len(self._reserved)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def full(self) -> bool:
        return self.full_after(0)

    def full_after(self, coming: int) -> bool:
        """Whether it is once so many more have reserved a place."""
        return self.reserved + coming >= self._capacity + self._idle

    def reserve(self, deadline: Deadline) -> Job:
        job = Job(next(self._numbers), deadline)
        self._reserved.add(job)
        return job

    def enqueue(self, job: Job, tile: Tile) -> None:
        if job.cancelled:
            return  # it failed while its image was decoded
        job.set_tile(tile)
        insort(self._waiting, job, key=attrgetter("number"))
        if len(self._waiting) > self._idle:
            self._publish_positions()
        self._notify()

    def submit(
        self,
        tiles: Iterable[Tile | HealerError],
        reducer: Reducer,
        deadline: Deadline | None = None,
    ) -> Job:
        """A job of many tiles, scored whenever no single tile waits."""
        job = Job(next(self._numbers), deadline, tiles, reducer)
        self._bulk.append(job)
        self._changed.set()
        return job

    def release(self, job: Job) -> None:
        """Its client disconnected, its deadline passed, or it is answered. Idempotent."""
        job.cancelled = True
        self._reserved.discard(job)
        if job in self._waiting:
            self._waiting.remove(job)
            self._publish_positions()
            self._notify()

    def fail(self, error: Exception) -> None:
        """Every job that has not been dequeued ends with `error`."""
        failed, self._reserved, self._waiting = {*self._reserved, *self._bulk}, set(), []
        self._bulk.clear()
        for job in failed:
            job.cancelled = True
            job.publish(error)
        self._notify()

    async def dequeue(self, most: int, seconds: float) -> list[Job]:
        """The next single tiles, at least one, the first waiting up to `seconds` for more; or one
        job of many where none waits."""
        while True:
            await self._until(lambda: bool(self._waiting or self._next_bulk()))
            if self._waiting and seconds and len(self._waiting) < most:
                await self._fill(most, seconds)
            if self._waiting:
                return self._start(self._waiting[:most])
            if job := self._next_bulk():
                self._bulk.rotate(-1)
                return [job]

    def dequeue_now(self, most: int, suits: Callable[[Tile], bool]) -> list[Job]:
        """The next single tiles that suit, if any wait; the others keep their places."""
        suiting = [job for job in self._waiting if job.tile and suits(job.tile)]
        return self._start(suiting[:most]) if suiting else []

    def _next_bulk(self) -> Job | None:
        while self._bulk and (self._bulk[0].exhausted or self._bulk[0].cancelled):
            self._bulk.popleft()
        return self._bulk[0] if self._bulk else None

    def _start(self, batch: list[Job]) -> list[Job]:
        self._waiting = [job for job in self._waiting if job not in batch]
        for job in batch:
            self._reserved.discard(job)
            job.mark_dequeued()
        self._publish_positions()
        self._notify()
        return batch

    async def _fill(self, most: int, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._until(lambda: len(self._waiting) >= most)
        except TimeoutError:
            return

    async def _until(self, condition: Callable[[], bool]) -> None:
        self._idle += 1
        try:
            while not condition():
                self._changed.clear()
                await self._changed.wait()
        finally:
            self._idle -= 1

    def _publish_positions(self) -> None:
        for position, job in enumerate(self._waiting, start=1):
            job.move(position)

    def _notify(self) -> None:
        self._changed.set()
        self._on_change(len(self._waiting))


class BudgetExceeded(Exception):
    pass


class MemoryBudget:
    """Of one event loop. A reservation that is alone may take any size: one image always fits."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0

    def hold(self) -> Reservation:
        return Reservation(self)


class Reservation:
    """One request's share. `release` is idempotent."""

    def __init__(self, budget: MemoryBudget) -> None:
        self._budget = budget
        self._bytes = 0

    def add(self, count: int) -> None:
        """Raises BudgetExceeded."""
        others = self._budget.held - self._bytes
        if others and self._budget.held + count > self._budget.limit:
            raise BudgetExceeded
        self._budget.held += count
        self._bytes += count

    def release(self) -> None:
        self._budget.held -= self._bytes
        self._bytes = 0


WEIGHT = 0.2  # of the newest measurement
LONGEST_WAIT = 3600  # seconds


class ThroughputEstimator:
    """Seconds of a worker's time a tile takes; the first measurement is the self-test's."""

    def __init__(self) -> None:
        self.seconds = 1.0
        self._measured = False

    def record(self, seconds: float, tiles: int) -> None:
        each = seconds / tiles
        self.seconds += (WEIGHT if self._measured else 1.0) * (each - self.seconds)
        self._measured = True

    def retry_after(self, tiles: int, workers: int) -> int:
        """Whole seconds, at least 1, until `tiles` will have been answered by `workers`."""
        return min(LONGEST_WAIT, max(1, math.ceil(self.seconds * tiles / max(1, workers))))
