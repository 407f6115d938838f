"""What a request asks of the model: a place in line, and what is heard from there."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from healer.config import Settings
from healer.engines.choice import Choice
from healer.errors import DeadlineExceeded, ModelNotReady, QueueFull, ShuttingDown, not_ready
from healer.imaging import Tile
from healer.observing import trail
from healer.observing.observer import Observer
from healer.observing.trail import GONE
from healer.queueing.budget import Budget
from healer.queueing.deadline import Deadline
from healer.queueing.ticket import Finished, Heard, Ticket
from healer.screening.screener import Look, Screener, Screening, finish
from healer.serving.model import RETIRED, Model


class Service(Model):
    def __init__(
        self,
        choice: Choice,
        open_screener: Callable[[], Screener],
        settings: Settings,
        observer: Observer | None = None,
    ) -> None:
        super().__init__(choice, open_screener, settings, observer)
        self.draws = 0  # tickets, since the start
        self.in_flight = 0  # requests being answered, as serving/draining.py counts them
        self.budget = Budget(settings.upload_budget_mb * 1024 * 1024)
        self._dismissed = False

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

    def dismiss(self) -> None:
        """Whoever is not answered yet hears that nobody will be any more."""
        self._dismissed = True
        self._lanes.dismiss(ShuttingDown())

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
            raise not_ready(self._reason, passing=self._passing)
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


def _note(ticket: Ticket, heard: Heard) -> None:
    """For whoever watches."""
    if isinstance(heard, Look):
        trail.current().passed("queue", ticket.waited)
        trail.current().reached("score", heard.evidence.stages)
    elif isinstance(heard, Finished):
        trail.current().reached("explain")
