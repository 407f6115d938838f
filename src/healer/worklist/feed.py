"""What happens to a slide while it is read, for those who follow it."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from healer.worklist.records import Json

MOST_PENDING = 1000  # events that one who follows has not taken yet: later ones are dropped
PATIENCE_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class SlideEvent:
    """`data` is None where the sender adds what the slide's state is."""

    name: str
    data: Json | None = None


class Subscription:
    """Of one event loop; `put` is for any thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[SlideEvent | None] = asyncio.Queue()

    def put(self, event: SlideEvent | None) -> None:
        if not self._loop.is_closed() and (event is None or self._events.qsize() < MOST_PENDING):
            self._loop.call_soon_threadsafe(self._events.put_nowait, event)

    async def events(self) -> AsyncIterator[SlideEvent | None]:
        """Until the reading has ended. None now and then, so that a waiting caller can stop."""
        while True:
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    event = await self._events.get()
            except TimeoutError:
                yield None
                continue
            if event is None:
                return
            yield event


class Feed:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._followers: defaultdict[str, list[Subscription]] = defaultdict(list)

    @contextmanager
    def follow(self, slide_id: str) -> Iterator[Subscription]:
        """For an event loop."""
        subscription = Subscription()
        with self._lock:
            self._followers[slide_id].append(subscription)
        try:
            yield subscription
        finally:
            with self._lock:
                self._followers[slide_id].remove(subscription)
                if not self._followers[slide_id]:
                    del self._followers[slide_id]

    def publish(self, slide_id: str, name: str, data: Json | None = None) -> None:
        self._put(slide_id, SlideEvent(name, data))

    def end(self, slide_id: str) -> None:
        self._put(slide_id, None)

    def _put(self, slide_id: str, event: SlideEvent | None) -> None:
        with self._lock:
            for subscription in self._followers.get(slide_id, ()):
                subscription.put(event)
