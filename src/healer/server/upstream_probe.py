"""How a model that is elsewhere is: its server is asked seldom, however many ask us."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

from healer.engines.base import RemoteEngine
from healer.errors import HealerError, ModelNotReady

FRESH_SECONDS = 2.0  # how long what was found out is believed
LONGEST_SECONDS = 3.5  # a probe waits: less than the four of a container's health check


class UpstreamProbe:
    """One call at a time, in a thread of its own: /ready asks for no key, so anyone may set it off,
    and whoever checks callers' tokens must not wait for it."""

    def __init__(self) -> None:
        self._thread: ThreadPoolExecutor | None = None
        self._call: asyncio.Task[HealerError | None] | None = None
        self._engine: RemoteEngine | None = None
        self._found: HealerError | None = None
        self._asked_at = float("-inf")

    async def trouble(self, engine: RemoteEngine) -> HealerError | None:
        """Why it could not answer just now; None where it could."""
        if engine is not self._engine:
            self._forget(engine)
        if time.monotonic() - self._asked_at < FRESH_SECONDS:
            return self._found
        if self._call is None:
            self._call = asyncio.create_task(self._ask(engine))
        finished, _ = await asyncio.wait((self._call,), timeout=LONGEST_SECONDS)
        if not finished:
            return ModelNotReady(f"its server has kept silent for {LONGEST_SECONDS:g} s")
        return next(iter(finished)).result()

    def close(self) -> None:
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)
        self._thread = None
        self._forget(None)

    def _forget(self, engine: RemoteEngine | None) -> None:
        self._engine, self._found, self._call = engine, None, None
        self._asked_at = float("-inf")

    async def _ask(self, engine: RemoteEngine) -> HealerError | None:
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, "upstream-probe")
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._thread, engine.trouble)
            if engine is self._engine:
                self._found, self._asked_at = found, time.monotonic()
            return found
        finally:
            if engine is self._engine:
                self._call = None
