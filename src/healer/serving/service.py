"""The one model of a process: loaded in the background, asked off the event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import structlog

from healer.engines.base import RemoteEngine
from healer.engines.choice import Choice
from healer.errors import HealerError, ModelNotReady, UpstreamError
from healer.imaging import Tile
from healer.screening.screener import Look, Screener, Screening
from healer.screening.selftest import self_test

log = structlog.get_logger(__name__)

Result = TypeVar("Result")
RETIRED = "Healer is shutting down"
# One thread: a model here uses every core by itself. One that is elsewhere is asked side by side.
THREADS = {"openai": 8}
ABSENT_SECONDS = 5.0  # between calls on a server that is not there yet


@dataclass(frozen=True, slots=True)
class Status:
    """`reason` says why the service is not ready; None when it is."""

    reason: str | None
    screener: Screener | None = None


class Service:
    def __init__(self, choice: Choice, open_screener: Callable[[], Screener]) -> None:
        self.choice = choice
        self.status = Status("the model has not started loading")
        self.retired = False
        self.in_flight = 0  # requests being answered, as serving/draining.py counts them
        self._open_screener = open_screener
        self._loading: asyncio.Task[None] | None = None
        self._worker: ThreadPoolExecutor | None = None

    @property
    def screener(self) -> Screener:
        """Raises ModelNotReady until a real inference has succeeded."""
        if self.status.screener is None:
            raise ModelNotReady(self.status.reason or "the model is loading")
        return self.status.screener

    async def start(self) -> None:
        threads = THREADS.get(self.choice.engine, 1)  # of its own: /health must never wait for it
        self._worker = ThreadPoolExecutor(max_workers=threads, thread_name_prefix="model")
        self.status = Status("the model is loading")
        self._loading = asyncio.create_task(self._load())

    def retire(self) -> None:
        """Stop being ready, for good; what is in flight is still answered."""
        self.retired = True
        self.status = Status(RETIRED, self.status.screener)
        log.info("shutting down", in_flight=self.in_flight)

    async def stop(self) -> None:
        if self._loading is not None:
            self._loading.cancel()
        if self._worker is not None:
            await asyncio.to_thread(self._worker.shutdown, cancel_futures=True)
        if self.status.screener is not None:
            self.status.screener.engine.close()

    async def trouble(self) -> str | None:
        """Why it is not ready; a model that is elsewhere is called on each time."""
        screener = self.status.screener
        if self.status.reason is None and screener and isinstance(screener.engine, RemoteEngine):
            return await asyncio.to_thread(screener.engine.trouble)
        return self.status.reason

    async def screen(self, tile: Tile) -> Screening:
        return (await self._off_loop(lambda: self.screener.screen([tile])))[0]

    async def look(self, tile: Tile) -> Look:
        return (await self._off_loop(lambda: self.screener.look([tile])))[0]

    async def explain(self, look: Look) -> AsyncGenerator[str, None]:
        """Pieces as they come; leaving the generator stops the model between two of them."""
        pieces = self.screener.explain(look)
        try:
            while (piece := await self._off_loop(lambda: next(pieces, None))) is not None:
                yield piece
        finally:
            if close := getattr(pieces, "close", None):
                await asyncio.shield(self._off_loop(close))

    async def _off_loop(self, step: Callable[[], Result]) -> Result:
        return await asyncio.get_running_loop().run_in_executor(self._worker, step)

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
            screener = await self._off_loop(self._open_and_test)
        except HealerError as error:
            self._fail(str(error), error.code)
            return not isinstance(error, UpstreamError)
        except Exception as error:  # a library's own failure must not leave "loading" standing
            log.exception("model failed to load")
            self._fail(f"the model failed to load ({type(error).__name__}); see the log", "error")
        else:
            self.status = Status(RETIRED if self.retired else None, screener)
            for warning in screener.warnings:
                log.warning("model", warning=warning)
            log.info("ready", seconds=round(time.monotonic() - started, 2))
        return True

    def _open_and_test(self) -> Screener:
        screener = self._open_screener()
        self_test(screener)
        return screener

    def _fail(self, reason: str, code: str) -> None:
        self.status = Status(reason)
        log.error("not ready", reason=reason, code=code)
