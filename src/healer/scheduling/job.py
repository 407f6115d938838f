"""Until when an answer is worth having."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from contextvars import copy_context
from dataclasses import dataclass

from healer.errors import DeadlineExceeded
from healer.images.tile import Tile
from healer.screening.screener import Score


@dataclass(frozen=True, slots=True)
class Deadline:
    """`at` is in the event loop's time, which no change of the clock moves."""

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
    """Seconds that the tile waited in line, and that its explanation took."""

    waited: float
    explained: float


JobEvent = QueuePosition | Score | str | JobFinished


class Job:
    """Drawn before there is a tile, of one event loop; only the methods that say so are for other
    threads."""

    def __init__(self, number: int, deadline: Deadline) -> None:
        self.number = number
        self.deadline = deadline
        self.tile: Tile | None = None
        self.over = False  # nothing more will be heard
        self.cancelled = False  # set on the loop; a lane's thread reads it between two steps
        self.position: int | None = None  # as it was told last
        self.waited = 0.0
        self.context = copy_context()  # the request's, for what a lane logs about it
        self._joined = 0.0
        self._loop = asyncio.get_running_loop()
        self._heard: deque[JobEvent | Exception] = deque()
        self._news = asyncio.Event()
        self._woken = False  # the loop was called, and has not looked yet

    def join(self, tile: Tile) -> None:
        self.tile = tile
        self._joined = time.monotonic()

    def taken(self) -> None:
        self.waited = time.monotonic() - self._joined
        if self.position is not None:
            self.move(0)

    def move(self, position: int) -> None:
        if position != self.position:
            self.position = position
            self.tell(QueuePosition(position))

    def tell(self, heard: JobEvent | Exception) -> None:
        self._heard.append(heard)
        self._news.set()

    def tell_from_thread(self, heard: JobEvent | Exception) -> None:
        """For a lane's thread. Nobody is left to hear it where the loop has ended."""
        self._heard.append(heard)
        if not (self._woken or self._loop.is_closed()):  # one call for all that come at once
            self._woken = True
            self._loop.call_soon_threadsafe(self._wake)

    async def hear(self) -> AsyncGenerator[JobEvent, None]:
        """Until it is over; raises what the ticket failed with, and DeadlineExceeded."""
        while not self.over:
            heard = await self._next()
            self.over = isinstance(heard, Exception | JobFinished)
            if isinstance(heard, Exception):
                raise heard
            yield heard

    async def _next(self) -> JobEvent | Exception:
        while not self._heard:
            self._news.clear()
            async with self.deadline.limit():
                await self._news.wait()
        return self._heard.popleft()

    def _wake(self) -> None:
        self._woken = False
        self._news.set()
