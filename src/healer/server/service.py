"""What a request asks of the model: a place in line, and what is heard from there."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from healer.engines.registry import EngineChoice
from healer.errors import DeadlineExceeded, ModelNotReady, QueueFull, ShuttingDown, not_ready
from healer.images.tile import Tile
from healer.scheduling.job import Deadline, Job, JobEvent, JobFinished
from healer.scheduling.queue import MemoryBudget
from healer.screening.screener import Score, Screener, Screening, finish_screening
from healer.server.model import RETIRED, ModelLifecycle
from healer.settings.loading import Settings
from healer.telemetry.observer import Observer
from healer.telemetry.request_trace import CLIENT_GONE, current_trace


class Service(ModelLifecycle):
    def __init__(
        self,
        choice: EngineChoice,
        open_screener: Callable[[], Screener],
        settings: Settings,
        observer: Observer | None = None,
    ) -> None:
        super().__init__(choice, open_screener, settings, observer)
        self.draws = 0  # tickets, since the start
        self.in_flight = 0  # requests being answered, as serving/draining.py counts them
        self.budget = MemoryBudget(settings.upload_budget_mb * 1024 * 1024)
        self._dismissed = False

    @property
    def held(self) -> int:
        """Places in line that are taken."""
        return self._line.reserved

    @property
    def waiting(self) -> int:
        """Those of them whose pictures were let through."""
        return self._line.waiting

    @property
    def at_work(self) -> int:
        """Tiles that a model is asked about."""
        return self._lanes.active

    def dismiss(self) -> None:
        """Whoever is not answered yet hears that nobody will be any more."""
        self._dismissed = True
        self._lanes.fail_jobs(ShuttingDown())

    def check(self) -> Screener:
        """Raises ModelNotReady, QueueFull or ShuttingDown where a request would be turned away."""
        if self._dismissed:
            raise ShuttingDown
        screener = self.screener
        if self._line.full:
            waiting = self._line.reserved + self._lanes.active
            raise QueueFull(self.retry_after(waiting), waiting)
        return screener

    def draw(self, deadline: Deadline) -> Job:
        """A place in line. Raises what `check` does."""
        self.check()
        self.draws += 1
        return self._line.reserve(deadline)

    def retry_after(self, tiles: int = 1) -> int:
        """Seconds until `tiles` will have been answered, as long as the last ones took."""
        return self.pace.retry_after(tiles, len(self._lanes))

    def leave(self, ticket: Job) -> None:
        """Its answer is told, or wanted no more: the model stops at its next step."""
        if not (ticket.finished or ticket.cancelled or ticket.tile is None):
            self._observer.failed(CLIENT_GONE)
        self._line.release(ticket)

    async def ask(self, ticket: Job, tile: Tile) -> AsyncGenerator[JobEvent, None]:
        """What is heard of the tile until it is answered. Raises ModelError, DeadlineExceeded."""
        if self._reason and not self.retired:  # the model was changed since the ticket was drawn
            raise not_ready(self._reason, passing=self._passing)
        self._line.enqueue(ticket, tile)
        try:
            async with aclosing(ticket.events()) as hearing:
                async for heard in hearing:
                    _note(ticket, heard)
                    yield heard
        except DeadlineExceeded as error:
            ticket.finished = True
            self._observer.failed(error.code)
            raise

    async def screen(self, ticket: Job, tile: Tile) -> Screening:
        """The whole answer at once; its timings tell how long it waited too."""
        look: Score | None = None
        pieces: list[str] = []
        async with aclosing(self.ask(ticket, tile)) as hearing:
            async for heard in hearing:
                if isinstance(heard, Score):
                    look = heard
                elif isinstance(heard, str):
                    pieces.append(heard)
                elif isinstance(heard, JobFinished) and look is not None:
                    return finish_screening(look, pieces, heard.explained, waited=heard.waited)
        raise ModelNotReady(RETIRED)


def _note(ticket: Job, heard: JobEvent) -> None:
    """For whoever watches."""
    if isinstance(heard, Score):
        current_trace().passed("queue", ticket.waited)
        current_trace().reached("score", heard.evidence.stages)
    elif isinstance(heard, JobFinished):
        current_trace().reached("explain")
