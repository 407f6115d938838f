"""The model of a process, and what requests ask of it: loaded in the background, reloaded where
the upstream's changes, closed at the end."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack, aclosing
from dataclasses import dataclass

import structlog

from healer.engines.base import RemoteEngine
from healer.engines.registry import batching_for
from healer.errors.base import HealerError, ShuttingDown
from healer.errors.engine import ModelNotReady, UpstreamChanged, UpstreamError, not_ready
from healer.errors.scheduling import DeadlineExceeded, QueueFull
from healer.images.tile import Tile
from healer.scheduling.job import Deadline, Job, JobEvent, JobFinished
from healer.scheduling.pool import WorkerPool
from healer.scheduling.queue import MemoryBudget, RequestQueue, ThroughputEstimator
from healer.screening.opening import EngineChoice
from healer.screening.screener import Score, Screener, Screening, finish_screening, self_test
from healer.server.upstream_probe import UpstreamProbe
from healer.settings.loading import Settings
from healer.telemetry.observation import CLIENT_GONE, Observer, current_trace

log = structlog.get_logger(__name__)

STOPPING = "Healer is shutting down"
LOADING = "the model is loading"
RETRY_SECONDS = 5.0  # between calls on an upstream that does not answer yet


@dataclass(frozen=True, slots=True)
class Status:
    """`reason` says why the service is not ready; None when it is. `transient`: it may end without
    anyone's doing."""

    reason: str | None
    screener: Screener | None = None
    transient: bool = True

    def error(self) -> ModelNotReady:
        return not_ready(self.reason or LOADING, passing=self.transient)


class ModelLifecycle:
    """`open_screener` is called once a replica, off the event loop. The request queue exists from
    `start` on."""

    def __init__(
        self,
        choice: EngineChoice,
        open_screener: Callable[[], Screener],
        settings: Settings,
        observer: Observer | None = None,
    ) -> None:
        self.choice = choice
        self.stopping = False
        self.stuck = False  # a thread may be in a model, or loading one, although we have stopped
        self.throughput = ThroughputEstimator()
        self._open_screener, self._settings = open_screener, settings
        self._observer = observer or Observer()
        self._reason: str | None = "the model has not started loading"
        self._transient = True
        self._probe = UpstreamProbe()
        self._screeners: Sequence[Screener] = ()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def status(self) -> Status:
        pool_trouble = self._workers.trouble if self._screeners else None
        reason = pool_trouble if self.hung else self._reason or pool_trouble
        transient = self._transient and (not self._screeners or self._workers.transient)
        return Status(reason, self._screeners[0] if self._screeners else None, transient)

    @property
    def hung(self) -> bool:
        """No model of this process will ever answer again."""
        return bool(self._screeners) and self._workers.hung

    @property
    def screener(self) -> Screener:
        """Raises ModelNotReady until a real inference has succeeded, and while none can."""
        status = self.status
        unusable = self.hung if self.stopping else status.reason
        if status.screener is None or unusable:
            raise status.error()
        return status.screener

    async def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._queue = RequestQueue(self._settings.queue, self._observer.queue_depth)
        self._workers = WorkerPool(
            self._queue, self.throughput, self._observer, self._settings.hang_seconds, self._reload
        )
        self._reason = LOADING
        self._start_task(self._load())

    def begin_shutdown(self) -> None:
        """Stop being ready, for good; what is in flight is still answered."""
        self.stopping = True
        self._reason, self._transient = STOPPING, True  # the next instance answers
        log.info("shutting down")

    async def stop(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._close(ShuttingDown())
        self._probe.close()
        self.stuck = self.stuck or bool(tasks)

    async def readiness_error(self) -> ModelNotReady | None:
        """Why it is not ready; the server of a remote model is probed, too."""
        status = self.status
        if status.reason is not None:
            return status.error()
        engine = status.screener.engine if status.screener else None
        if not isinstance(engine, RemoteEngine):
            return None
        error = await self._probe.error(engine)
        if isinstance(error, UpstreamChanged):
            self._reload(error)
        if error is None or isinstance(error, ModelNotReady):
            return error
        return not_ready(str(error), passing=error.retryable)

    def _start_task(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._task_done)

    def _task_done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.critical("loading broke off", exc_info=error)
            self._fail(f"loading broke off ({type(error).__name__}); see the log")

    async def _load(self) -> None:
        log.info("engine chosen", engine=self.choice.engine, reason=self.choice.reason)
        while True:
            if await self._try_to_load():
                return
            await asyncio.sleep(RETRY_SECONDS)

    async def _try_to_load(self) -> bool:
        """False where another try may succeed: a remote model may start after us."""
        started = time.monotonic()
        try:
            screeners = await asyncio.to_thread(self._open_and_test)
        except HealerError as error:
            self._fail(str(error), error)
            return not isinstance(error, UpstreamError)
        except Exception as error:  # a library's own failure must not leave "loading" standing
            log.exception("model failed to load")
            self._fail(f"the model failed to load ({type(error).__name__}); see the log")
            return True
        self._screeners = screeners
        self._workers.open(screeners, batching_for(screeners[0].info, self._settings))
        self._reason, self._transient = STOPPING if self.stopping else None, True
        for warning in screeners[0].warnings:
            log.warning("model", warning=warning)
        log.info("ready", seconds=round(time.monotonic() - started, 2))
        return True

    def _open_and_test(self) -> list[Screener]:
        screeners = []
        with ExitStack() as opened:  # a remote model is tried again
            for _ in range(self._settings.replicas):
                screeners.append(self._open_screener())
                opened.callback(screeners[-1].engine.close)
            for screener in screeners:
                started = time.monotonic()
                self_test(screener)
                self.throughput.record(time.monotonic() - started, 1)
            self._observer.ready(screeners[0])
            opened.pop_all()
        return screeners

    def _fail(self, reason: str, error: HealerError | None = None) -> None:
        """A failure that is no HealerError is unknown, and so not retried."""
        self._reason = STOPPING if self.stopping else reason
        self._transient = self.stopping or (error is not None and error.retryable)
        log.error("not ready", reason=reason, code=error.code if error else "error")

    def _reload(self, error: UpstreamChanged) -> None:
        """The upstream serves another model now, which the calibration may not fit: load again."""
        if self._reason is None:
            self._reason, self._transient = str(error), True
            self._start_task(self._close_and_load(error))

    async def _close_and_load(self, why: UpstreamChanged) -> None:
        await self._close(why)
        await self._load()

    async def _close(self, why: HealerError) -> None:
        self.stuck = not await self._workers.close(why)
        screeners, self._screeners = self._screeners, ()
        with ExitStack() as closing:  # one that fails to close must not leave the others open
            for screener in () if self.stuck else screeners:
                closing.callback(screener.engine.close)


class Service(ModelLifecycle):
    def __init__(
        self,
        choice: EngineChoice,
        open_screener: Callable[[], Screener],
        settings: Settings,
        observer: Observer | None = None,
    ) -> None:
        super().__init__(choice, open_screener, settings, observer)
        self.reservations = 0  # since the start
        self.in_flight = 0  # requests being answered, as middleware/limits.py counts them
        self.budget = MemoryBudget(settings.upload_budget_mb * 1024 * 1024)
        self._abandoned = False

    @property
    def reserved(self) -> int:
        """Places in the queue that are taken."""
        return self._queue.reserved

    def full_after(self, coming: int) -> bool:
        """Whether no place in the queue is left once so many more have reserved one."""
        return self._queue.full_after(coming)

    @property
    def waiting(self) -> int:
        """Those of them whose images passed the gate."""
        return self._queue.waiting

    @property
    def active(self) -> int:
        """Tiles that a model is processing."""
        return self._workers.active

    def abandon_jobs(self) -> None:
        """Requests that are not answered yet end with ShuttingDown."""
        self._abandoned = True
        self._workers.fail_jobs(ShuttingDown())

    def check(self, coming: int = 0) -> Screener:
        """Raises ModelNotReady, QueueFull or ShuttingDown where a request would be refused that so
        many `coming` ones go before."""
        if self._abandoned:
            raise ShuttingDown
        screener = self.screener
        if self.full_after(coming):
            waiting = self._queue.reserved + coming + self._workers.active
            raise QueueFull(self.retry_after(waiting), waiting)
        return screener

    def reserve(self, deadline: Deadline) -> Job:
        """A place in the queue. Raises what `check` does."""
        self.check()
        self.reservations += 1
        return self._queue.reserve(deadline)

    def retry_after(self, tiles: int = 1) -> int:
        """Seconds until `tiles` will have been answered, as long as the last ones took."""
        return self.throughput.retry_after(tiles, len(self._workers))

    def release(self, job: Job) -> None:
        """Answered, or cancelled: the model stops at its next step."""
        if not (job.finished or job.cancelled or job.tile is None):
            self._observer.failed(CLIENT_GONE)
        self._queue.release(job)

    async def events(self, job: Job, tile: Tile) -> AsyncGenerator[JobEvent, None]:
        """The job's events until it is answered. Raises ModelError, DeadlineExceeded."""
        if self._reason and not self.stopping:  # it was reloaded since the reservation
            raise not_ready(self._reason, passing=self._transient)
        self._queue.enqueue(job, tile)
        try:
            async with aclosing(job.events()) as events:
                async for event in events:
                    _trace_event(job, event)
                    yield event
        except DeadlineExceeded as error:
            job.finished = True
            self._observer.failed(error.code)
            raise

    async def screen(self, job: Job, tile: Tile) -> Screening:
        """The whole answer at once; its timings include the wait."""
        score: Score | None = None
        pieces: list[str] = []
        async with aclosing(self.events(job, tile)) as events:
            async for event in events:
                if isinstance(event, Score):
                    score = event
                elif isinstance(event, str):
                    pieces.append(event)
                elif isinstance(event, JobFinished) and score is not None:
                    return finish_screening(score, pieces, event.explained, waited=event.waited)
        raise ModelNotReady(STOPPING)

    def score_many(self, tiles: Sequence[Tile]) -> Sequence[Score | HealerError]:
        """For another thread: by the workers, whenever no single tile waits. Raises HealerError
        where the workers end first."""
        scoring = asyncio.run_coroutine_threadsafe(self._score_many(tiles), self._loop)
        try:
            return scoring.result()
        except CancelledError:
            raise ShuttingDown from None

    def screen_one(self, tile: Tile) -> Screening:
        """For another thread: as a request's, in the same queue. Raises HealerError."""
        screening = asyncio.run_coroutine_threadsafe(self._screen_one(tile), self._loop)
        try:
            return screening.result()
        except CancelledError:
            raise ShuttingDown from None

    async def _screen_one(self, tile: Tile) -> Screening:
        while True:
            try:
                job = self.reserve(Deadline.after(self._settings.request_timeout))
            except QueueFull:  # those who sent a tile go first
                await asyncio.sleep(1)  # not longer: a service that stops waits for this
                continue
            try:
                return await self.screen(job, tile)
            finally:
                self.release(job)

    async def _score_many(self, tiles: Sequence[Tile]) -> Sequence[Score | HealerError]:
        if not tiles:
            return []
        _ = self.screener
        scores = Scores()
        job = self._queue.submit(tiles, scores)
        try:
            async for _event in job.events():
                pass
        finally:
            self._queue.release(job)
        return [scores.results[at] for at in range(len(tiles))]


class Scores:
    """The results of a job's tiles, by their place."""

    def __init__(self) -> None:
        self.results: dict[int, Score | HealerError] = {}

    def add(self, index: int, result: Score | HealerError) -> None:
        self.results[index] = result


def _trace_event(job: Job, event: JobEvent) -> None:
    if isinstance(event, Score):
        current_trace().add_stage("queue", job.waited)
        current_trace().end_stage("score", event.evidence.stages)
    elif isinstance(event, JobFinished):
        current_trace().end_stage("explain")
