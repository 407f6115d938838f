"""All the lanes of a service: opened once their models are loaded, watched, closed together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress

import structlog

from healer.errors import EngineHung, ModelNotReady, UpstreamChanged
from healer.observing.observer import Observer
from healer.queueing.batching import Batching
from healer.queueing.lane import Lane
from healer.queueing.line import Line
from healer.queueing.pace import Pace
from healer.screening.screener import Screener

log = structlog.get_logger(__name__)

WATCH_SECONDS = 0.5


class Lanes:
    """`hang_seconds` is how long a model may be silent in one step, a look or a piece of text;
    `on_change` hears that the model is another one now."""

    def __init__(
        self,
        line: Line,
        pace: Pace,
        observer: Observer,
        hang_seconds: float,
        on_change: Callable[[UpstreamChanged], None],
    ) -> None:
        self._line, self._pace, self._observer = line, pace, observer
        self._on_change = on_change
        self._hang_seconds = hang_seconds
        self._lanes: list[Lane] = []
        self._tasks: list[asyncio.Task[None]] = []

    def __len__(self) -> int:
        return len(self._lanes)

    @property
    def at_work(self) -> int:
        return sum(len(lane.at_work) for lane in self._lanes)

    @property
    def trouble(self) -> str | None:
        """Why nobody is answered; None while one lane works."""
        reasons = [lane.trouble for lane in self._lanes]
        return None if None in reasons or not reasons else reasons[0]

    @property
    def hung(self) -> bool:
        return bool(self._lanes) and all(lane.hung for lane in self._lanes)

    def open(self, screeners: Sequence[Screener], batching: Batching) -> None:
        self._lanes = [
            Lane(screener, self._line, batching, self._pace, self._observer, self._on_change)
            for screener in screeners
            for _ in range(batching.lanes)
        ]
        self._tasks = [asyncio.create_task(lane.run()) for lane in self._lanes]
        self._tasks.append(asyncio.create_task(self._watch()))

    async def close(self) -> None:
        """What is under way is stopped at its next step, and waited for."""
        for lane in self._lanes:
            for ticket in lane.at_work:
                ticket.cancelled = True
        for task in self._tasks:
            task.cancel()
        for task in self._tasks:
            with suppress(asyncio.CancelledError):
                await task
        await asyncio.gather(*(asyncio.to_thread(lane.join) for lane in self._lanes))
        self._lanes, self._tasks = [], []

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(min(WATCH_SECONDS, self._hang_seconds / 4))
            for lane, task in zip(self._lanes, self._tasks, strict=False):
                if not lane.hung and lane.silent() > self._hang_seconds:
                    self._give_up(lane, task)
            if (reason := self.trouble) and not self.hung:
                self._line.fail(ModelNotReady(reason))

    def _give_up(self, lane: Lane, task: asyncio.Task[None]) -> None:
        error = EngineHung(self._hang_seconds)
        log.critical("the model hangs", silent_seconds=round(lane.silent(), 1))
        self._observer.failed(error.code)
        lane.give_up(error)
        task.cancel()
        if self.hung:
            self._line.fail(error)
