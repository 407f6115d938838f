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
GATHER_SECONDS = 0.5  # changes of the list that come together are reported together
UNLISTED = frozenset({"progress", "map", "regions"})  # they change nothing that the list sorts by


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


class ListSubscription:
    """Which slides have changed, reported together. Of one event loop; `put` is for any thread."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._changed: set[str] = set()
        self._news = asyncio.Event()

    def put(self, slide_id: str, event: SlideEvent) -> None:
        if not self._loop.is_closed():
            changed = () if event.name in UNLISTED else (slide_id,)
            self._loop.call_soon_threadsafe(self._add, changed)

    def _add(self, changed: tuple[str, ...]) -> None:
        self._changed.update(changed)
        self._news.set()

    async def changes(self) -> AsyncIterator[frozenset[str] | None]:
        """Empty where a reading went on and nothing else. None now and then, so that a waiting
        caller can stop."""
        while True:
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    await self._news.wait()
            except TimeoutError:
                yield None
                continue
            await asyncio.sleep(GATHER_SECONDS)
            changed = frozenset(self._changed)
            self._changed.clear()
            self._news.clear()
            yield changed


class Feed:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._list_followers: list[ListSubscription] = []
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

    @contextmanager
    def follow_list(self) -> Iterator[ListSubscription]:
        """For an event loop."""
        subscription = ListSubscription()
        with self._lock:
            self._list_followers.append(subscription)
        try:
            yield subscription
        finally:
            with self._lock:
                self._list_followers.remove(subscription)

    def publish(self, slide_id: str, name: str, data: Json | None = None) -> None:
        self._put(slide_id, SlideEvent(name, data))

    def end(self, slide_id: str) -> None:
        self._put(slide_id, None)

    def _put(self, slide_id: str, event: SlideEvent | None) -> None:
        with self._lock:
            for subscription in self._followers.get(slide_id, ()):
                subscription.put(event)
            if event is not None:
                for each in self._list_followers:
                    each.put(slide_id, event)
