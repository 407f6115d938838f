"""What a process and those it started take. It knows no Healer, for interpreters without it."""

from __future__ import annotations

import threading
import time

import psutil

EVERY_SECONDS = 0.2


class MemorySampler:
    """The most that this process and those it started hold together, shared pages once."""

    def __init__(self) -> None:
        self.most = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample)

    def __enter__(self) -> MemorySampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def _sample(self) -> None:
        own = psutil.Process()
        while not self._done.wait(EVERY_SECONDS):
            family = (own, *own.children(recursive=True))
            self.most = max(self.most, sum(held(each) for each in family))


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
