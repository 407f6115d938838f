"""All the lanes of a service: opened once their models are loaded, watched, closed together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence

import structlog

from healer.errors import EngineHung, HealerError, ModelNotReady, UpstreamChanged, not_ready
from healer.scheduling.batching import Batching, ThroughputEstimator
from healer.scheduling.queue import RequestQueue
from healer.scheduling.worker import Worker
from healer.screening.screener import Screener
from healer.telemetry.observer import Observer

log = structlog.get_logger(__name__)

WATCH_SECONDS = 0.5
LEAVE_SECONDS = 3.0  # for a step that is under way when all is closed


class WorkerPool:
    """`hang_seconds` is how long a model may be silent in one step, a look or a piece of text;
    `on_change` hears that the model is another one now."""

    def __init__(
        self,
        line: RequestQueue,
        pace: ThroughputEstimator,
        observer: Observer,
        hang_seconds: float,
        on_change: Callable[[UpstreamChanged], None],
    ) -> None:
        self._line, self._pace, self._observer = line, pace, observer
        self._on_change = on_change
        self._hang_seconds = hang_seconds
        self._lanes: list[Worker] = []
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
    def passing(self) -> bool:
        """Whether the trouble may end without anyone's doing."""
        return any(lane.passing for lane in self._lanes) or not self._lanes

    @property
    def hung(self) -> bool:
        return bool(self._lanes) and all(lane.hung for lane in self._lanes)

    def open(self, screeners: Sequence[Screener], batching: Batching) -> None:
        self._lanes = [
            Worker(screener, self._line, batching, self._pace, self._observer, self._on_change)
            for screener in screeners
            for _ in range(batching.lanes)
        ]
        self._tasks = [self._begin(lane.run()) for lane in self._lanes]
        self._tasks.append(self._begin(self._watch()))

    def dismiss(self, why: HealerError) -> None:
        """Everyone hears `why` in place of what would have come."""
        for lane in self._lanes:
            lane.dismiss(why)
        self._line.fail(why)

    async def close(self, why: HealerError) -> bool:
        """As `dismiss`; what is under way is stopped at its next step. Whether the models are let
        go of: one that does not end its step is not waited for long."""
        self.dismiss(why)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        lanes, self._lanes, self._tasks = self._lanes, [], []
        for lane in lanes:
            lane.close()
        doing = [asyncio.wrap_future(lane.doing) for lane in lanes if lane.doing]
        if doing:
            await asyncio.wait(doing, timeout=LEAVE_SECONDS)
        return all(each.done() for each in doing)

    def _begin(self, work: Coroutine[None, None, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        task.add_done_callback(self._ended)
        return task

    def _ended(self, task: asyncio.Task[None]) -> None:
        """None of them ends by itself. A mistake of ours must not leave everyone waiting."""
        if task.cancelled() or (error := task.exception()) is None:
            return
        log.critical("the queue broke", exc_info=error)
        reason = f"the queue broke ({type(error).__name__}); see the log"
        for lane in self._lanes:
            lane.give_up(ModelNotReady(reason), reason)
        for each in self._tasks:
            each.cancel()
        self._line.fail(ModelNotReady(reason))

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(min(WATCH_SECONDS, self._hang_seconds / 4))
            for lane, task in zip(self._lanes, self._tasks, strict=False):
                if not lane.hung and lane.silent() > self._hang_seconds:
                    self._give_up(lane, task)
            if (reason := self.trouble) and not self.hung:
                self._line.fail(not_ready(reason, passing=self.passing))

    def _give_up(self, lane: Worker, task: asyncio.Task[None]) -> None:
        error = EngineHung(self._hang_seconds)
        log.critical("the model hangs", silent_seconds=round(lane.silent(), 1))
        self._observer.failed(error.code)
        lane.give_up(error, str(error))
        task.cancel()
        if self.hung:
            self._line.fail(error)
