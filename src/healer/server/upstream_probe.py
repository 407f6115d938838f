"""Whether a remote model can answer: probed seldom, however often /ready is called."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

from healer.engines.base import RemoteEngine
from healer.errors.base import HealerError
from healer.errors.engine import ModelNotReady

FRESH_SECONDS = 2.0  # how long a probe's result is reused
TIMEOUT_SECONDS = 3.5  # of a probe: less than the four of a container's health check


class UpstreamProbe:
    """One probe at a time, in a thread of its own: /ready needs no key, so anyone may start one,
    and the check of callers' tokens must not wait for it."""

    def __init__(self) -> None:
        self._thread: ThreadPoolExecutor | None = None
        self._task: asyncio.Task[HealerError | None] | None = None
        self._engine: RemoteEngine | None = None
        self._error: HealerError | None = None
        self._probed_at = float("-inf")

    async def error(self, engine: RemoteEngine) -> HealerError | None:
        """Why it cannot answer; None where it can."""
        if engine is not self._engine:
            self._reset(engine)
        if time.monotonic() - self._probed_at < FRESH_SECONDS:
            return self._error
        if self._task is None:
            self._task = asyncio.create_task(self._probe(engine))
        finished, _ = await asyncio.wait((self._task,), timeout=TIMEOUT_SECONDS)
        if not finished:
            return ModelNotReady(f"its server has kept silent for {TIMEOUT_SECONDS:g} s")
        return next(iter(finished)).result()

    def close(self) -> None:
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)
        self._thread = None
        self._reset(None)

    def _reset(self, engine: RemoteEngine | None) -> None:
        self._engine, self._error, self._task = engine, None, None
        self._probed_at = float("-inf")

    async def _probe(self, engine: RemoteEngine) -> HealerError | None:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "upstream-probe")
        loop = asyncio.get_running_loop()
        try:
            error = await loop.run_in_executor(self._thread, engine.trouble)
            if engine is self._engine:
                self._error, self._probed_at = error, time.monotonic()
            return error
        finally:
            if engine is self._engine:
                self._task = None
