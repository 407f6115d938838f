"""Who waits, first come first served, and how many may."""

from __future__ import annotations

import asyncio
from bisect import insort
from collections.abc import Callable
from itertools import count
from operator import attrgetter

from healer.images.tile import Tile
from healer.scheduling.job import Deadline, Job


class RequestQueue:
    """Of one event loop.

    A ticket is drawn before its picture is decoded, so that nothing is done for one that would be
    turned away, and keeps its place from then until a lane takes it.
    """

    def __init__(self, places: int, on_change: Callable[[int], None] = lambda _: None) -> None:
        self._places = places
        self._numbers = count()
        self._drawn: set[Job] = set()
        self._waiting: list[Job] = []
        self._changed = asyncio.Event()
        self._idle = 0  # lanes that wait for a tile
        self._on_change = on_change

    @property
    def held(self) -> int:
        """Places taken, by tiles that wait and by pictures on their way to being one."""
        return len(self._drawn)

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    @property
    def full(self) -> bool:
        return self.held >= self._places + self._idle

    def draw(self, deadline: Deadline) -> Job:
        ticket = Job(next(self._numbers), deadline)
        self._drawn.add(ticket)
        return ticket

    def join(self, ticket: Job, tile: Tile) -> None:
        if ticket.cancelled:
            return  # while its picture was decoded, it was told why nobody will come
        ticket.join(tile)
        insort(self._waiting, ticket, key=attrgetter("number"))
        if len(self._waiting) > self._idle:
            self._tell_positions()
        self._announce()

    def leave(self, ticket: Job) -> None:
        """Its client went away, its time is up, or it is answered. Does no harm twice."""
        ticket.cancelled = True
        self._drawn.discard(ticket)
        if ticket in self._waiting:
            self._waiting.remove(ticket)
            self._tell_positions()
            self._announce()

    def fail(self, error: Exception) -> None:
        """Everyone who holds a place hears why nobody will come for them."""
        drawn, self._drawn, self._waiting = self._drawn, set(), []
        for ticket in drawn:
            ticket.cancelled = True
            ticket.tell(error)
        self._announce()

    async def take(self, most: int, seconds: float) -> list[Job]:
        """The next ones, at least one; `seconds` is how long the first waits for company."""
        while True:
            await self._until(1)
            if seconds and len(self._waiting) < most:
                await self._company(most, seconds)
            if self._waiting:
                return self._taken(most)

    def take_now(self, most: int, suits: Callable[[Tile], bool]) -> list[Job]:
        """The next ones that suit, if any wait; the others keep their places."""
        suiting = [ticket for ticket in self._waiting if ticket.tile and suits(ticket.tile)]
        return self._handed(suiting[:most]) if suiting else []

    def _taken(self, most: int) -> list[Job]:
        return self._handed(self._waiting[:most])

    def _handed(self, batch: list[Job]) -> list[Job]:
        self._waiting = [ticket for ticket in self._waiting if ticket not in batch]
        for ticket in batch:
            self._drawn.discard(ticket)
            ticket.taken()
        self._tell_positions()
        self._announce()
        return batch

    async def _company(self, most: int, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._until(most)
        except TimeoutError:
            return

    async def _until(self, tiles: int) -> None:
        self._idle += 1
        try:
            while len(self._waiting) < tiles:
                self._changed.clear()
                await self._changed.wait()
        finally:
            self._idle -= 1

    def _tell_positions(self) -> None:
        for position, ticket in enumerate(self._waiting, start=1):
            ticket.move(position)

    def _announce(self) -> None:
        self._changed.set()
        self._on_change(len(self._waiting))


class BudgetExceeded(Exception):
    pass


class MemoryBudget:
    """Of one event loop. Whoever is alone may take what it needs: a single picture always fits."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0

    def hold(self) -> Reservation:
        return Reservation(self)


class Reservation:
    """One request's share. Its `release` does no harm twice."""

    def __init__(self, budget: MemoryBudget) -> None:
        self._budget = budget
        self._bytes = 0

    def add(self, count: int) -> None:
        """Raises Overdrawn."""
        others = self._budget.held - self._bytes
        if others and self._budget.held + count > self._budget.limit:
            raise BudgetExceeded
        self._budget.held += count
        self._bytes += count

    def release(self) -> None:
        self._budget.held -= self._bytes
        self._bytes = 0
