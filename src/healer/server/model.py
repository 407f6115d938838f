"""The model of a process: loaded in the background, met anew where it has changed, let go."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import structlog

from healer.engines.base import RemoteEngine
from healer.engines.registry import EngineChoice
from healer.errors import (
    HealerError,
    ModelNotReady,
    ShuttingDown,
    UpstreamChanged,
    UpstreamError,
    not_ready,
)
from healer.scheduling.batching import ThroughputEstimator, batching_for
from healer.scheduling.pool import WorkerPool
from healer.scheduling.queue import RequestQueue
from healer.screening.screener import Screener, self_test
from healer.server.upstream_probe import UpstreamProbe
from healer.settings.loading import Settings
from healer.telemetry.observer import Observer, Unobserved

log = structlog.get_logger(__name__)

RETIRED = "Healer is shutting down"
LOADING = "the model is loading"
ABSENT_SECONDS = 5.0  # between calls on a server that is not there yet


@dataclass(frozen=True, slots=True)
class Status:
    """`reason` says why the service is not ready; None when it is. `passing` says whether that may
    end without anyone's doing."""

    reason: str | None
    screener: Screener | None = None
    passing: bool = True

    def trouble(self) -> ModelNotReady:
        return not_ready(self.reason or LOADING, passing=self.passing)


class ModelLifecycle:
    """`open_screener` is called once a replica, off the event loop. What is asked goes through a
    line, which is there from `start` on."""

    def __init__(
        self,
        choice: EngineChoice,
        open_screener: Callable[[], Screener],
        settings: Settings,
        observer: Observer | None = None,
    ) -> None:
        self.choice = choice
        self.retired = False
        self.stuck = False  # a thread may be in a model, or loading one, although we have stopped
        self.pace = ThroughputEstimator()
        self._open_screener, self._settings = open_screener, settings
        self._observer = observer or Unobserved()
        self._reason: str | None = "the model has not started loading"
        self._passing = True
        self._probe = UpstreamProbe()
        self._screeners: Sequence[Screener] = ()
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def status(self) -> Status:
        trouble = self._lanes.trouble if self._screeners else None
        reason = trouble if self.hung else self._reason or trouble
        passing = self._passing and (not self._screeners or self._lanes.transient)
        return Status(reason, self._screeners[0] if self._screeners else None, passing)

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
            raise status.trouble()
        return status.screener

    async def start(self) -> None:
        self._line = RequestQueue(self._settings.queue, self._observer.waiting)
        self._lanes = WorkerPool(
            self._line, self.pace, self._observer, self._settings.hang_seconds, self._changed
        )
        self._reason = LOADING
        self._begin(self._load())

    def retire(self) -> None:
        """Stop being ready, for good; what is in flight is still answered."""
        self.retired = True
        self._reason, self._passing = RETIRED, True  # the next instance answers
        log.info("shutting down")

    async def stop(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._close(ShuttingDown())
        self._probe.close()
        self.stuck = self.stuck or bool(tasks)

    async def trouble(self) -> ModelNotReady | None:
        """Why it is not ready; a model that is elsewhere is called on, too."""
        status = self.status
        if status.reason is not None:
            return status.trouble()
        engine = status.screener.engine if status.screener else None
        if not isinstance(engine, RemoteEngine):
            return None
        found = await self._probe.trouble(engine)
        if isinstance(found, UpstreamChanged):
            self._changed(found)
        if found is None or isinstance(found, ModelNotReady):
            return found
        return not_ready(str(found), passing=found.retryable)

    def _begin(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.critical("loading broke off", exc_info=error)
            self._fail(f"loading broke off ({type(error).__name__}); see the log")

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
            self._fail(str(error), error)
            return not isinstance(error, UpstreamError)
        except Exception as error:  # a library's own failure must not leave "loading" standing
            log.exception("model failed to load")
            self._fail(f"the model failed to load ({type(error).__name__}); see the log")
            return True
        self._screeners = screeners
        self._lanes.open(screeners, batching_for(screeners[0].info, self._settings))
        self._reason, self._passing = RETIRED if self.retired else None, True
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
                self.pace.record(time.monotonic() - started, 1)
            opened.pop_all()
        return screeners

    def _fail(self, reason: str, error: HealerError | None = None) -> None:
        """Without an `error` of ours nothing is known of it, and nothing is tried again."""
        self._reason = RETIRED if self.retired else reason
        self._passing = self.retired or (error is not None and error.retryable)
        log.error("not ready", reason=reason, code=error.code if error else "error")

    def _changed(self, error: UpstreamChanged) -> None:
        """The model is another one now, and its calibration may not fit: start over with it."""
        if self._reason is None:
            self._reason, self._passing = str(error), True
            self._begin(self._reopen(error))

    async def _reopen(self, why: UpstreamChanged) -> None:
        await self._close(why)
        await self._load()

    async def _close(self, why: HealerError) -> None:
        self.stuck = not await self._lanes.close(why)
        screeners, self._screeners = self._screeners, ()
        with ExitStack() as closing:  # one that fails to close must not leave the others open
            for screener in () if self.stuck else screeners:
                closing.callback(screener.engine.close)
