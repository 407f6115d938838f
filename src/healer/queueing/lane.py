"""One thread that takes batches from the line and asks a model."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import structlog

from healer.errors import EngineHung, HealerError, UpstreamChanged
from healer.observing.observer import Observer
from healer.queueing.batching import Batching
from healer.queueing.failures import named
from healer.queueing.line import Line
from healer.queueing.pace import Pace
from healer.queueing.ticket import Finished, Ticket
from healer.screening.screener import Look, Screener
from healer.screening.selftest import self_test

log = structlog.get_logger(__name__)

DOUBT_AFTER = 3  # failures in a row
AGAIN_SECONDS = 5.0  # between self-tests of a model in doubt


@dataclass(slots=True, eq=False)
class Writing:
    """An explanation under way."""

    ticket: Ticket
    pieces: Iterator[str]
    count: int = 0
    began: float = field(default_factory=time.monotonic)


class Lane:
    def __init__(
        self,
        screener: Screener,
        line: Line,
        batching: Batching,
        pace: Pace,
        observer: Observer,
        on_change: Callable[[UpstreamChanged], None],
    ) -> None:
        self.screener = screener
        self.hung = False
        self.trouble: str | None = None  # why it takes nothing just now
        self.at_work: Sequence[Ticket] = ()
        self.failure: HealerError | None = None  # the last, until something succeeds
        self._failures = 0  # since then
        self._line, self._batching, self._pace, self._observer = line, batching, pace, observer
        self._on_change = on_change
        self._since: float | None = None
        self._thread = ThreadPoolExecutor(1, "model")

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            batch = await self._line.take(self._batching.tiles, self._batching.seconds)
            self._observer.taken([ticket.waited for ticket in batch])
            self.at_work = batch
            await asyncio.get_running_loop().run_in_executor(self._thread, self._work, batch)
            self.at_work = ()
            if isinstance(self.failure, UpstreamChanged):
                self._on_change(self.failure)
            elif self._failures >= DOUBT_AFTER:
                await self._recover()

    def silent(self) -> float:
        """Seconds since the step began that is under way; 0 between steps."""
        since = self._since
        return 0.0 if since is None else time.monotonic() - since

    def give_up(self, error: EngineHung) -> None:
        """Its thread cannot be stopped, but nobody waits for it any more."""
        self.hung, self.trouble = True, str(error)
        for ticket in self.at_work:
            ticket.cancelled = True
            ticket.tell(error)
        self.close()

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    def join(self) -> None:
        """Wait for the step under way; a lane that hangs is not waited for."""
        self._thread.shutdown(wait=not self.hung, cancel_futures=True)

    def _work(self, batch: Sequence[Ticket]) -> None:
        started = time.monotonic()
        looked = self._look([ticket for ticket in batch if not ticket.cancelled])
        if self.screener.side_by_side:
            answers = self.screener.explain_all([look for _, look in looked])
            self._write([Writing(t, each) for (t, _), each in zip(looked, answers, strict=True)])
        else:
            for ticket, look in looked:
                self._write([Writing(ticket, self.screener.explain(look))])
        if looked:
            self._pace.took(time.monotonic() - started, len(batch))

    def _look(self, batch: Sequence[Ticket]) -> list[tuple[Ticket, Look]]:
        tiles = [ticket.tile for ticket in batch if ticket.tile is not None]
        try:
            with self._step():
                looks = self.screener.look(tiles)
        except Exception as error:  # an engine's libraries raise what they please
            if len(batch) > 1:  # one tile must not cost its neighbours their answers
                return [found for ticket in batch for found in self._look([ticket])]
            self._failed(batch[0], error)
            return []
        for ticket, look in zip(batch, looks, strict=True):
            self._observer.looked(self.screener, look)
            ticket.tell_from_thread(look)
        return list(zip(batch, looks, strict=True))

    def _write(self, begun: Sequence[Writing]) -> None:
        """A piece of each in turn."""
        writing = deque(begun)
        while writing:
            each = writing.popleft()
            if self._went_on(each):
                writing.append(each)

    def _went_on(self, each: Writing) -> bool:
        ticket = each.ticket
        try:
            with self._step():
                piece = None if ticket.cancelled else next(each.pieces, None)
                if piece is None and (close := getattr(each.pieces, "close", None)):
                    close()  # which stops the model
        except Exception as error:
            self._failed(ticket, error)
            return False
        if piece is not None:
            each.count += 1
            ticket.tell_from_thread(piece)
            return True
        seconds = time.monotonic() - each.began
        if not ticket.cancelled:
            self._failures, self.failure = 0, None
            self._observer.explained(each.count, seconds)
        ticket.tell_from_thread(Finished(ticket.waited, seconds))
        return False

    def _failed(self, ticket: Ticket, error: Exception) -> None:
        self.failure = ticket.context.run(named, error)
        self._failures += 1
        self._observer.failed(self.failure.code)
        ticket.tell_from_thread(self.failure)

    async def _recover(self) -> None:
        """A model that fails again and again is trusted once it has passed the self-test anew."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                await loop.run_in_executor(self._thread, self._test)
            except Exception as error:  # as above
                self.trouble = str(named(error))
                log.error("the model fails its self-test", reason=self.trouble)
                await asyncio.sleep(AGAIN_SECONDS)
            else:
                self._failures, self.failure, self.trouble = 0, None, None
                return

    def _test(self) -> None:
        with self._step():
            self_test(self.screener)

    @contextmanager
    def _step(self) -> Iterator[None]:
        self._since = time.monotonic()
        try:
            yield
        finally:
            self._since = None
