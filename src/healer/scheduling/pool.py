"""All workers of a service: started once their models are loaded, watched, closed together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence

import structlog

from healer.engines.spec import Batching
from healer.errors.base import HealerError
from healer.errors.engine import EngineHung, ModelNotReady, UpstreamChanged, not_ready
from healer.scheduling.queue import RequestQueue, ThroughputEstimator
from healer.scheduling.worker import Worker
from healer.screening.screener import Screener
from healer.telemetry.observation import Observer

log = structlog.get_logger(__name__)

WATCH_SECONDS = 0.5
CLOSE_SECONDS = 3.0  # for a step that is under way when all is closed


class WorkerPool:
    """`hang_seconds` is how long a model may be silent in one step, a score or a piece of text;
    `on_change` is called where the upstream serves another model now."""

    def __init__(
        self,
        queue: RequestQueue,
        throughput: ThroughputEstimator,
        observer: Observer,
        hang_seconds: float,
        on_change: Callable[[UpstreamChanged], None],
    ) -> None:
        self._queue, self._throughput, self._observer = queue, throughput, observer
        self._on_change = on_change
        self._hang_seconds = hang_seconds
        self._workers: list[Worker] = []
        self._tasks: list[asyncio.Task[None]] = []

    def __len__(self) -> int:
        return len(self._workers)

    @property
    def active(self) -> int:
        return sum(len(worker.jobs) for worker in self._workers)

    @property
    def trouble(self) -> str | None:
        """Why nothing is answered; None while one worker can."""
        reasons = [worker.trouble for worker in self._workers]
        return None if None in reasons or not reasons else reasons[0]

    @property
    def transient(self) -> bool:
        """Whether the trouble may end without anyone's running."""
        return any(worker.transient for worker in self._workers) or not self._workers

    @property
    def hung(self) -> bool:
        return bool(self._workers) and all(worker.hung for worker in self._workers)

    def open(self, screeners: Sequence[Screener], batching: Batching) -> None:
        self._workers = [
            Worker(
                screener, self._queue, batching, self._throughput, self._observer, self._on_change
            )
            for screener in screeners
            for _ in range(batching.workers)
        ]
        self._tasks = [self._begin(worker.run()) for worker in self._workers]
        self._tasks.append(self._begin(self._watch()))

    def fail_jobs(self, why: HealerError) -> None:
        """Every job ends with `why`."""
        for worker in self._workers:
            worker.fail_jobs(why)
        self._queue.fail(why)

    async def close(self, why: HealerError) -> bool:
        """As `fail_jobs`; what is under way is stopped at its next step. False where a model is
        still in use: a step that does not end is not waited for long."""
        self.fail_jobs(why)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        workers, self._workers, self._tasks = self._workers, [], []
        for worker in workers:
            worker.close()
        running = [asyncio.wrap_future(worker.running) for worker in workers if worker.running]
        if running:
            await asyncio.wait(running, timeout=CLOSE_SECONDS)
        return all(each.done() for each in running)

    def _begin(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        """None of them ends by itself. A mistake of ours must not leave requests waiting."""
        if task.cancelled() or (error := task.exception()) is None:
            return
        log.critical("the queue broke", exc_info=error)
        reason = f"the queue broke ({type(error).__name__}); see the log"
        for worker in self._workers:
            worker.abandon(ModelNotReady(reason), reason)
        for each in self._tasks:
            each.cancel()
        self._queue.fail(ModelNotReady(reason))

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(min(WATCH_SECONDS, self._hang_seconds / 4))
            for worker, task in zip(self._workers, self._tasks, strict=False):
                if not worker.hung and worker.step_seconds() > self._hang_seconds:
                    self._abandon(worker, task)
            if (reason := self.trouble) and not self.hung:
                self._queue.fail(not_ready(reason, passing=self.transient))

    def _abandon(self, worker: Worker, task: asyncio.Task[None]) -> None:
        error = EngineHung(self._hang_seconds)
        log.critical("the model hangs", silent_seconds=round(worker.step_seconds(), 1))
        self._observer.failed(error.code)
        worker.abandon(error, str(error))
        task.cancel()
        if self.hung:
            self._queue.fail(error)
