"""One thread that dequeues jobs and runs a model."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

import structlog

from healer.engines.spec import Batching
from healer.errors.base import HealerError
from healer.errors.engine import EngineFailed, UpstreamChanged
from healer.images.tile import Tile
from healer.scheduling.job import Job, JobFinished, TileTask
from healer.scheduling.queue import RequestQueue, ThroughputEstimator
from healer.screening.pipeline import engine_error, score_each, unexpected_error
from healer.screening.screener import Score, Screener, self_test
from healer.telemetry.observation import Observer

log = structlog.get_logger(__name__)

MAX_FAILURES = 3  # in a row, before the self-test must pass
RETRY_SECONDS = 5.0  # between two self-tests of a model that fails

Result = TypeVar("Result")


@dataclass(slots=True, eq=False)
class WideFieldRead:
    """A wide field that is being scored in steps."""

    task: TileTask
    steps: Generator[None, None, Score]
    seconds: float = 0.0


class Worker:
    """While a wide field is scored, other tiles are scored between its steps."""

    def __init__(
        self,
        screener: Screener,
        queue: RequestQueue,
        batching: Batching,
        throughput: ThroughputEstimator,
        observer: Observer,
        on_change: Callable[[UpstreamChanged], None],
    ) -> None:
        self.screener = screener
        self.hung = False
        self.trouble: str | None = None  # why it dequeues nothing just now
        self.transient = True  # whether that may end without anyone's doing
        self.jobs: Sequence[Job] = ()  # dequeued and not finished
        self.failure: HealerError | None = None  # the last, until something succeeds
        self.running: Future[Any] | None = None  # its thread's work, the last if there is none
        self._failures = 0  # since then
        self._queue, self._batching, self._observer = queue, batching, observer
        self._throughput, self._on_change = throughput, on_change
        self._step_began: float | None = None
        self._wide_fields: deque[WideFieldRead] = deque()
        self._thread = ThreadPoolExecutor(1, "model")

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            batch = await self._dequeue()
            self.jobs = [*batch, *self._wide_field_jobs]
            if waits := [job.waited for job in batch if job.explained]:
                self._observer.dequeued(waits)
            await self._in_thread(partial(self._work, batch))
            self.jobs = self._wide_field_jobs
            if isinstance(self.failure, UpstreamChanged):
                self._on_change(self.failure)
            elif self._failures >= MAX_FAILURES:
                await self._recover()

    async def _dequeue(self) -> list[Job]:
        """While a wide field is scored: no second one, and only what waits already."""
        tiles, seconds = self._batching.tiles, self._batching.seconds
        if self._wide_fields:
            return self._queue.dequeue_now(tiles, self._scored_at_once)
        return await self._queue.dequeue(tiles, seconds)

    def _scored_at_once(self, tile: Tile) -> bool:
        return not self.screener.scored_in_steps(tile)

    @property
    def _wide_field_jobs(self) -> list[Job]:
        return [read.task.job for read in self._wide_fields]

    def fail_jobs(self, error: HealerError) -> None:
        """The jobs that it holds end with `error`."""
        for job in self.jobs:
            job.cancelled = True
            job.publish(error)

    def step_seconds(self) -> float:
        """Since the step under way began; 0 between steps."""
        began = self._step_began
        return 0.0 if began is None else time.monotonic() - began

    def abandon(self, error: HealerError, reason: str) -> None:
        """Its thread cannot be stopped, but nothing waits for it any more."""
        self.hung, self.trouble, self.transient = True, reason, True
        self.fail_jobs(error)
        self.close()

    def close(self) -> None:
        """Its thread ends after the step under way, if ever."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _in_thread(self, work: Callable[[], Result]) -> Result:
        running = self.running = self._thread.submit(work)
        return await asyncio.wrap_future(running)

    def _work(self, batch: Sequence[Job]) -> None:
        tasks = [task for job in batch for task in self._tasks_of(job)]
        wide = [task for task in tasks if not self._scored_at_once(task.tile)]
        started = time.monotonic()
        scored = self._score([task for task in tasks if task not in wide])
        for each in scored:
            self._explain(*each)
        if scored:
            self._throughput.record(time.monotonic() - started, len(scored))
        self._wide_fields.extend(
            WideFieldRead(task, self.screener.score_in_steps(task.tile)) for task in wide
        )
        if self._wide_fields and not self._advance_wide_field(self._wide_fields[0]):
            self._wide_fields.popleft()

    def _tasks_of(self, job: Job) -> list[TileTask]:
        try:
            return job.next_tasks(self._batching.tiles)
        except BaseException as error:  # of its stream, which ends with it
            job.exhausted = True
            job.publish_from_thread(job.context.run(unexpected_error, error))
            return []

    def _advance_wide_field(self, read: WideFieldRead) -> bool:
        """A step. Whether there is more to score."""
        task, started = read.task, time.monotonic()
        if task.job.cancelled:
            read.steps.close()
            return False
        try:
            with self._step():
                next(read.steps)
            read.seconds += time.monotonic() - started
            return True
        except StopIteration as ended:
            score: Score = ended.value
        except BaseException as error:  # as below
            self._fail(task, error)
            return False
        self._resolve(task, score)
        self._explain(task, score)
        self._throughput.record(read.seconds + time.monotonic() - started, 1)
        return False

    def _score(self, tasks: Sequence[TileTask]) -> list[tuple[TileTask, Score]]:
        """Those that could be scored."""
        wanted = [task for task in tasks if not task.job.cancelled]
        tiles = [task.tile for task in wanted]
        # What libraries raise: a panic in Rust is no Exception.
        results = score_each(self.screener, tiles, BaseException, self._step)
        scored = []
        for task, result in zip(wanted, results, strict=True):
            if isinstance(result, Score):
                self._resolve(task, result)
                scored.append((task, result))
            else:
                self._fail(task, result)
        return scored

    def _resolve(self, task: TileTask, score: Score) -> None:
        self._observer.scored(self.screener, score)
        task.job.resolve(task, score)
        if not task.job.explained:
            self._failures, self.failure = 0, None

    def _explain(self, task: TileTask, score: Score) -> None:
        """The explanation of one scored tile, piece by piece, where its job has one."""
        job, count, began = task.job, 0, time.monotonic()
        if job.cancelled or not job.explained:
            return
        try:
            with self._step():
                pieces = self.screener.explain(score)
            while (piece := self._next_piece(job, pieces)) is not None:
                count += 1
                job.publish_from_thread(piece)
        except BaseException as error:  # as above
            self._fail(task, error)
            return
        if job.cancelled:  # what was cut short is no answer
            return
        seconds = time.monotonic() - began
        self._failures, self.failure = 0, None
        self._observer.explained(count, seconds)
        job.publish_from_thread(JobFinished(job.waited, seconds))

    def _next_piece(self, job: Job, pieces: Iterator[str]) -> str | None:
        with self._step():
            piece = None if job.cancelled else next(pieces, None)
            if piece is None and (close := getattr(pieces, "close", None)):
                close()  # which stops the model
            return piece

    def _fail(self, task: TileTask, error: BaseException) -> None:
        self.failure = task.job.context.run(engine_error, error)
        self._failures += 1
        self._observer.failed(self.failure.code)
        task.job.resolve(task, self.failure)

    async def _recover(self) -> None:
        """A model that fails repeatedly is used again once it has passed the self-test."""
        while failure := await self._in_thread(self._self_test):
            self.failure, self.trouble = failure, str(failure)
            # An unexpected failure may pass as it came.
            self.transient = failure.retryable or isinstance(failure, EngineFailed)
            log.error("the model fails its self-test", reason=self.trouble)
            if isinstance(failure, UpstreamChanged):
                self._on_change(failure)
            await asyncio.sleep(RETRY_SECONDS)
        self._failures, self.failure, self.trouble, self.transient = 0, None, None, True

    def _self_test(self) -> HealerError | None:
        """What it fails with."""
        try:
            with self._step():
                self_test(self.screener)
        except BaseException as error:  # as above
            return engine_error(error)
        return None

    @contextmanager
    def _step(self) -> Iterator[None]:
        self._step_began = time.monotonic()
        try:
            yield
        finally:
            self._step_began = None
