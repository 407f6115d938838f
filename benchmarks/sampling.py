"""What a process and those it started take. It knows no Healer, for interpreters without it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import psutil

EVERY_SECONDS = 0.2


class MemorySampler:
    """The most bytes that `measure` gives while the block runs."""

    def __init__(
        self, measure: Callable[[], int] | None = None, every: float = EVERY_SECONDS
    ) -> None:
        """By default what this process and those it started hold together, shared pages once."""
        self.most = 0
        self._measure, self._every = measure or family_memory, every
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample)

    def __enter__(self) -> MemorySampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._done.wait(self._every):
            self.most = max(self.most, self._measure())


def family_memory() -> int:
    own = psutil.Process()
    return sum(held(each) for each in (own, *own.children(recursive=True)))


def held(process: psutil.Process) -> int:
    try:
        return int(process.memory_full_info().pss)
    except psutil.Error:
        return 0


def processors() -> float:
    """Seconds that this process and those it started have been busy, and those that have ended."""
    own = psutil.Process()
    ended = own.cpu_times()
    running = 0.0
    for child in own.children(recursive=True):
        try:
            running += sum(child.cpu_times()[:2])
        except psutil.Error:
            continue
    return time.process_time() + ended.children_user + ended.children_system + running
