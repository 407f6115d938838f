"""One tile's place in line, and what is heard of it.

    Waiting(position)   while it waits: 1 is next; 0 once the model looks
    Look                the verdict is known
    str                 the next words of the explanation
    Finished            nothing more comes

or, at any time and in place of what would have come, the error it failed with.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncGenerator
from contextvars import copy_context
from dataclasses import dataclass

from healer.imaging.tile import Tile
from healer.queueing.deadline import Deadline
from healer.screening.screener import Look


@dataclass(frozen=True, slots=True)
class Waiting:
    position: int


@dataclass(frozen=True, slots=True)
class Finished:
    """Seconds that the tile waited in line, and that its explanation took."""

    waited: float
    explained: float


Heard = Waiting | Look | str | Finished


class Ticket:
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
        self._heard: deque[Heard | Exception] = deque()
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
            self.tell(Waiting(position))

    def tell(self, heard: Heard | Exception) -> None:
        self._heard.append(heard)
        self._news.set()

    def tell_from_thread(self, heard: Heard | Exception) -> None:
        """For a lane's thread. Nobody is left to hear it where the loop has ended."""
        self._heard.append(heard)
        if not (self._woken or self._loop.is_closed()):  # one call for all that come at once
            self._woken = True
            self._loop.call_soon_threadsafe(self._wake)

    async def hear(self) -> AsyncGenerator[Heard, None]:
        """Until it is over; raises what the ticket failed with, and DeadlineExceeded."""
        while not self.over:
            heard = await self._next()
            self.over = isinstance(heard, Exception | Finished)
            if isinstance(heard, Exception):
                raise heard
            yield heard

    async def _next(self) -> Heard | Exception:
        while not self._heard:
            self._news.clear()
            async with self.deadline.limit():
                await self._news.wait()
        return self._heard.popleft()

    def _wake(self) -> None:
        self._woken = False
        self._news.set()
