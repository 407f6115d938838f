"""The model of a process: loaded in the background, asked through a line, off the event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from contextlib import ExitStack, aclosing
from dataclasses import dataclass

import structlog

from healer.config import Settings
from healer.engines.base import RemoteEngine
from healer.engines.choice import Choice
from healer.errors import (
    DeadlineExceeded,
    HealerError,
    ModelNotReady,
    QueueFull,
    ShuttingDown,
    UpstreamChanged,
    UpstreamError,
)
from healer.imaging import Tile
from healer.observing import trail
from healer.observing.observer import Observer, Unobserved
from healer.observing.trail import GONE
from healer.queueing.batching import batching
from healer.queueing.budget import Budget
from healer.queueing.deadline import Deadline
from healer.queueing.lanes import Lanes
from healer.queueing.line import Line
from healer.queueing.pace import Pace
from healer.queueing.ticket import Finished, Heard, Ticket
from healer.screening.screener import Look, Screener, Screening, finish
from healer.screening.selftest import self_test

log = structlog.get_logger(__name__)

RETIRED = "Healer is shutting down"
LOADING = "the model is loading"
ABSENT_SECONDS = 5.0  # between calls on a server that is not there yet


@dataclass(frozen=True, slots=True)
class Status:
    """`reason` says why the service is not ready; None when it is."""

    reason: str | None
    screener: Screener | None = None


class Service:
    """`open_screener` is called once a replica, off the event loop."""

    def __init__(
        self,
        choice: Choice,
        open_screener: Callable[[], Screener],
        settings: Settings,
        observer: Observer | None = None,
    ) -> None:
        self.choice = choice
        self.retired = False
        self.draws = 0  # tickets, since the start
        self.in_flight = 0  # requests being answered, as serving/draining.py counts them
        self.budget = Budget(settings.upload_budget_mb * 1024 * 1024)
        self.pace = Pace()
        self._open_screener, self._settings = open_screener, settings
        self._observer = observer or Unobserved()
        self._dismissed = False
        self._reason: str | None = "the model has not started loading"
        self._screeners: Sequence[Screener] = ()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def status(self) -> Status:
        reason = self._reason or (self._lanes.trouble if self._screeners else None)
        return Status(reason, self._screeners[0] if self._screeners else None)

    @property
    def hung(self) -> bool:
        """No model of this process will ever answer again."""
        return bool(self._screeners) and self._lanes.hung

    @property
    def screener(self) -> Screener:
        """Raises ModelNotReady until a real inference has succeeded, and while none can."""
        status = self.status
        useless = self.hung if self.retired else status.reason
        if status.screener is None or useless:
            raise ModelNotReady(status.reason or LOADING)
        return status.screener

    @property
    def held(self) -> int:
        """Places in line that are taken."""
        return self._line.held

    @property
    def waiting(self) -> int:
        """Those of them whose pictures were let through."""
        return self._line.waiting

    @property
    def at_work(self) -> int:
        """Tiles that a model is asked about."""
        return self._lanes.at_work

    async def start(self) -> None:
        self._line = Line(self._settings.queue, self._observer.waiting)
        self._lanes = Lanes(
            self._line, self.pace, self._observer, self._settings.hang_seconds, self._changed
        )
        self._reason = LOADING
        self._begin(self._load())

    def retire(self) -> None:
        """Stop being ready, for good; what is in flight is still answered."""
        self.retired = True
        self._reason = RETIRED
        log.info("shutting down", in_flight=self.in_flight)

    def dismiss(self) -> None:
        """Whoever is not answered yet hears that nobody will be any more."""
        self._dismissed = True
        self._lanes.dismiss(ShuttingDown())

    async def stop(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._close(ShuttingDown())

    async def trouble(self) -> str | None:
        """Why it is not ready; a model that is elsewhere is called on each time."""
        status = self.status
        engine = status.screener.engine if status.screener else None
        if status.reason is not None or not isinstance(engine, RemoteEngine):
            return status.reason
        trouble = await asyncio.to_thread(engine.trouble)
        if isinstance(trouble, UpstreamChanged):
            self._changed(trouble)
        return None if trouble is None else str(trouble)

    def check(self) -> Screener:
        """Raises ModelNotReady, QueueFull or ShuttingDown where a request would be turned away."""
        if self._dismissed:
            raise ShuttingDown
        screener = self.screener
        if self._line.full:
            waiting = self._line.held + self._lanes.at_work
            raise QueueFull(self.retry_after(waiting), waiting)
        return screener

    def draw(self, deadline: Deadline) -> Ticket:
        """A place in line. Raises what `check` does."""
        self.check()
        self.draws += 1
        return self._line.draw(deadline)

    def retry_after(self, tiles: int = 1) -> int:
        """Seconds until `tiles` will have been answered, as long as the last ones took."""
        return self.pace.retry_after(tiles, len(self._lanes))

    def leave(self, ticket: Ticket) -> None:
        """Its answer is told, or wanted no more: the model stops at its next step."""
        if not (ticket.over or ticket.cancelled or ticket.tile is None):
            self._observer.failed(GONE)
        self._line.leave(ticket)

    async def ask(self, ticket: Ticket, tile: Tile) -> AsyncGenerator[Heard, None]:
        """What is heard of the tile until it is answered. Raises ModelError, DeadlineExceeded."""
        if self._reason and not self.retired:  # the model was changed since the ticket was drawn
            raise ModelNotReady(self._reason)
        self._line.join(ticket, tile)
        try:
            async with aclosing(ticket.hear()) as hearing:
                async for heard in hearing:
                    _note(ticket, heard)
                    yield heard
        except DeadlineExceeded as error:
            ticket.over = True
            self._observer.failed(error.code)
            raise

    async def screen(self, ticket: Ticket, tile: Tile) -> Screening:
        """The whole answer at once; its timings tell how long it waited too."""
        look: Look | None = None
        pieces: list[str] = []
        async with aclosing(self.ask(ticket, tile)) as hearing:
            async for heard in hearing:
                if isinstance(heard, Look):
                    look = heard
                elif isinstance(heard, str):
                    pieces.append(heard)
                elif isinstance(heard, Finished) and look is not None:
                    return finish(look, pieces, heard.explained, waited=heard.waited)
        raise ModelNotReady(RETIRED)

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.critical("loading broke off", exc_info=error)
            self._fail(f"loading broke off ({type(error).__name__}); see the log", "error")

    async def _load(self) -> None:
        log.info("engine chosen", engine=self.choice.engine, reason=self.choice.reason)
        while True:
            if await self._loaded():
                return
            await asyncio.sleep(ABSENT_SECONDS)

    async def _loaded(self) -> bool:
        """False where another try may do better: the model is elsewhere, and may start after us."""
        started = time.monotonic()
        try:
            screeners = await asyncio.to_thread(self._open_and_test)
        except HealerError as error:
            self._fail(str(error), error.code)
            return not isinstance(error, UpstreamError)
        except Exception as error:  # a library's own failure must not leave "loading" standing
            log.exception("model failed to load")
            self._fail(f"the model failed to load ({type(error).__name__}); see the log", "error")
            return True
        self._screeners = screeners
        self._lanes.open(screeners, batching(screeners[0].info, self._settings))
        self._reason = RETIRED if self.retired else None
        for warning in screeners[0].warnings:
            log.warning("model", warning=warning)
        log.info("ready", seconds=round(time.monotonic() - started, 2))
        return True

    def _open_and_test(self) -> list[Screener]:
        screeners = []
        with ExitStack() as opened:  # it is tried again where the model is elsewhere
            for _ in range(self._settings.replicas):
                screeners.append(self._open_screener())
                opened.callback(screeners[-1].engine.close)
            for screener in screeners:
                started = time.monotonic()
                self_test(screener)
                self.pace.took(time.monotonic() - started, 1)
            opened.pop_all()
        return screeners

    def _fail(self, reason: str, code: str) -> None:
        self._reason = RETIRED if self.retired else reason
        log.error("not ready", reason=reason, code=code)

    def _changed(self, error: UpstreamChanged) -> None:
        """The model is another one now, and its calibration may not fit: start over with it."""
        if self._reason is None:
            self._reason = str(error)
            self._begin(self._reopen(error))

    async def _reopen(self, why: UpstreamChanged) -> None:
        await self._close(why)
        await self._load()

    async def _close(self, why: HealerError) -> None:
        let_go = await self._lanes.close(why)
        screeners, self._screeners = self._screeners, ()
        for screener in screeners if let_go else ():
            screener.engine.close()


def _note(ticket: Ticket, heard: Heard) -> None:
    """For whoever watches."""
    if isinstance(heard, Look):
        trail.current().passed("queue", ticket.waited)
        trail.current().reached("score", heard.evidence.stages)
    elif isinstance(heard, Finished):
        trail.current().reached("explain")
