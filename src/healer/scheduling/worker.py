"""What an engine's failure is called."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import structlog

from healer.errors import EngineFailed, EngineOutOfMemory, HealerError, UpstreamChanged
from healer.images.tile import Tile
from healer.scheduling.batching import Batching, ThroughputEstimator
from healer.scheduling.job import Job, JobFinished
from healer.scheduling.queue import RequestQueue
from healer.screening.screener import Score, Screener, self_test
from healer.telemetry.observer import Observer

log = structlog.get_logger(__name__)

# torch's, OpenVINO's and ONNX Runtime's ways of saying it, beside Python's MemoryError.
OUT_OF_MEMORY_SIGNS = ("out of memory", "bad_alloc", "failed to allocate", "bad allocation")


def engine_error(error: BaseException) -> HealerError:
    """An error of our tree as it is; anything else as one, its cause in the log."""
    if isinstance(error, HealerError):
        return error
    log.error("the model failed", exc_info=error)
    said = str(error).lower()
    if isinstance(error, MemoryError) or any(sign in said for sign in OUT_OF_MEMORY_SIGNS):
        return EngineOutOfMemory()
    return EngineFailed(type(error).__name__)


DOUBT_AFTER = 3  # failures in a row
AGAIN_SECONDS = 5.0  # between self-tests of a model in doubt

Result = TypeVar("Result")


@dataclass(slots=True, eq=False)
class Explanation:
    """An explanation under way."""

    ticket: Job
    pieces: Iterator[str]
    count: int = 0
    began: float = field(default_factory=time.monotonic)


@dataclass(slots=True, eq=False)
class Reading:
    """A wide field under way."""

    ticket: Job
    steps: Generator[None, None, Score]
    seconds: float = 0.0


class Worker:
    """While a wide field is read, others' tiles are looked at between its steps."""

    def __init__(
        self,
        screener: Screener,
        line: RequestQueue,
        batching: Batching,
        pace: ThroughputEstimator,
        observer: Observer,
        on_change: Callable[[UpstreamChanged], None],
    ) -> None:
        self.screener = screener
        self.hung = False
        self.trouble: str | None = None  # why it takes nothing just now
        self.passing = True  # whether that may end without anyone's doing
        self.at_work: Sequence[Job] = ()
        self.failure: HealerError | None = None  # the last, until something succeeds
        self.doing: Future[Any] | None = None  # its thread's work, the last if there is none
        self._failures = 0  # since then
        self._line, self._batching, self._pace, self._observer = line, batching, pace, observer
        self._on_change = on_change
        self._since: float | None = None
        self._readings: deque[Reading] = deque()
        self._thread = ThreadPoolExecutor(1, "model")

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            batch = await self._take()
            self.at_work = [*batch, *self._being_read]
            if batch:
                self._observer.taken([ticket.waited for ticket in batch])
            await self._in_thread(partial(self._work, batch))
            self.at_work = self._being_read
            if isinstance(self.failure, UpstreamChanged):
                self._on_change(self.failure)
            elif self._failures >= DOUBT_AFTER:
                await self._recover()

    async def _take(self) -> list[Job]:
        """No second wide field while one is read, and then whoever is here at once."""
        tiles, seconds = self._batching.tiles, self._batching.seconds
        if self._readings:
            return self._line.take_now(tiles, self._at_a_glance)
        return await self._line.take(tiles, seconds)

    def _at_a_glance(self, tile: Tile) -> bool:
        return not self.screener.reads_in_steps(tile)

    @property
    def _being_read(self) -> list[Job]:
        return [reading.ticket for reading in self._readings]

    def dismiss(self, error: HealerError) -> None:
        """Whoever is at work hears `error` in place of what would have come."""
        for ticket in self.at_work:
            ticket.cancelled = True
            ticket.tell(error)

    def silent(self) -> float:
        """Seconds since the step began that is under way; 0 between steps."""
        since = self._since
        return 0.0 if since is None else time.monotonic() - since

    def give_up(self, error: HealerError, reason: str) -> None:
        """Its thread cannot be stopped, but nobody waits for it any more."""
        self.hung, self.trouble, self.passing = True, reason, True
        self.dismiss(error)
        self.close()

    def close(self) -> None:
        """Its thread ends after the step under way, if ever."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _in_thread(self, step: Callable[[], Result]) -> Result:
        doing = self.doing = self._thread.submit(step)
        return await asyncio.wrap_future(doing)

    def _work(self, batch: Sequence[Job]) -> None:
        started = time.monotonic()
        glances = [each for each in batch if each.tile and self._at_a_glance(each.tile)]
        looked = self._look(glances)
        for group in [looked] if self.screener.side_by_side else [[each] for each in looked]:
            self._write(self._begun(group))
        if looked:
            self._pace.took(time.monotonic() - started, len(looked))
        wide = [(each, each.tile) for each in batch if each.tile and each not in glances]
        self._readings.extend(
            Reading(ticket, self.screener.look_in_steps(tile)) for ticket, tile in wide
        )
        if self._readings and not self._read_on(self._readings[0]):
            self._readings.popleft()

    def _read_on(self, reading: Reading) -> bool:
        """A step of a wide field. Whether there is more to read."""
        ticket, started = reading.ticket, time.monotonic()
        if ticket.cancelled:
            reading.steps.close()
            return False
        try:
            with self._step():
                next(reading.steps)
            reading.seconds += time.monotonic() - started
            return True
        except StopIteration as ended:
            looked = [(ticket, ended.value)]
        except BaseException as error:  # as below
            self._failed(ticket, error)
            return False
        self._told(looked)
        self._write(self._begun(looked))
        self._pace.took(reading.seconds + time.monotonic() - started, 1)
        return False

    def _look(self, batch: Sequence[Job]) -> list[tuple[Job, Score]]:
        wanted = [(each, each.tile) for each in batch if each.tile and not each.cancelled]
        if not wanted:
            return []
        tickets, tiles = zip(*wanted, strict=True)
        try:
            with self._step():
                looked = list(zip(tickets, self.screener.look(tiles), strict=True))
        except BaseException as error:  # what libraries raise: a panic in Rust is no Exception
            if len(tickets) > 1:  # one tile must not cost its neighbours their answers
                return [found for ticket in tickets for found in self._look([ticket])]
            self._failed(tickets[0], error)
            return []
        self._told(looked)
        return looked

    def _told(self, looked: Sequence[tuple[Job, Score]]) -> None:
        for ticket, look in looked:
            self._observer.looked(self.screener, look)
            ticket.tell_from_thread(look)

    def _begun(self, group: Sequence[tuple[Job, Score]]) -> list[Explanation]:
        wanted = [(ticket, look) for ticket, look in group if not ticket.cancelled]
        if not wanted:
            return []
        try:
            with self._step():
                pieces = self.screener.explain_all([look for _, look in wanted])
                return [Explanation(t, each) for (t, _), each in zip(wanted, pieces, strict=True)]
        except BaseException as error:  # as above
            if len(wanted) > 1:
                return [begun for each in wanted for begun in self._begun([each])]
            self._failed(wanted[0][0], error)
            return []

    def _write(self, begun: Sequence[Explanation]) -> None:
        """A piece of each in turn."""
        writing = deque(begun)
        while writing:
            each = writing.popleft()
            if self._went_on(each):
                writing.append(each)

    def _went_on(self, each: Explanation) -> bool:
        ticket = each.ticket
        try:
            with self._step():
                piece = None if ticket.cancelled else next(each.pieces, None)
                if piece is None and (close := getattr(each.pieces, "close", None)):
                    close()  # which stops the model
        except BaseException as error:  # as above
            self._failed(ticket, error)
            return False
        if piece is not None:
            each.count += 1
            ticket.tell_from_thread(piece)
            return True
        if not ticket.cancelled:  # who was, must not take what was cut short for an answer
            seconds = time.monotonic() - each.began
            self._failures, self.failure = 0, None
            self._observer.explained(each.count, seconds)
            ticket.tell_from_thread(JobFinished(ticket.waited, seconds))
        return False

    def _failed(self, ticket: Job, error: BaseException) -> None:
        self.failure = ticket.context.run(engine_error, error)
        self._failures += 1
        self._observer.failed(self.failure.code)
        ticket.tell_from_thread(self.failure)

    async def _recover(self) -> None:
        """A model that fails again and again is trusted once it has passed the self-test anew."""
        while failure := await self._in_thread(self._test):
            self.failure, self.trouble = failure, str(failure)
            # What nobody foresaw may pass as it came.
            self.passing = failure.retryable or isinstance(failure, EngineFailed)
            log.error("the model fails its self-test", reason=self.trouble)
            if isinstance(failure, UpstreamChanged):
                self._on_change(failure)
            await asyncio.sleep(AGAIN_SECONDS)
        self._failures, self.failure, self.trouble, self.passing = 0, None, None, True

    def _test(self) -> HealerError | None:
        """What it fails with."""
        try:
            with self._step():
                self_test(self.screener)
        except BaseException as error:  # as above
            return engine_error(error)
        return None

    @contextmanager
    def _step(self) -> Iterator[None]:
        self._since = time.monotonic()
        try:
            yield
        finally:
            self._since = None
