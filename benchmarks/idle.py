"""Is anybody else using the cores?"""

from __future__ import annotations

import time

import psutil

from benchmarks.errors import MachineBusy
from healer.cli.speed import busy_seconds, own_seconds

ALLOWED = 0.1  # cores; the system itself takes some of that


def used_by_others(seconds: float = 1.0) -> float:
    """Cores that other processes kept busy over so many seconds."""
    watch = Watch()
    psutil.cpu_percent(interval=seconds)
    return watch.others()


def check(used: float, *, anyway: bool) -> None:
    """Raises MachineBusy."""
    if used > ALLOWED and not anyway:
        raise MachineBusy(f"{used:.2f} of {psutil.cpu_count()}")


class Watch:
    """From its creation until it is read; this process and its ended children are our own."""

    def __init__(self) -> None:
        self._busy, self._own, self._wall = busy_seconds(), own_seconds(), time.perf_counter()

    def others(self) -> float:
        busy = busy_seconds() - self._busy
        own = own_seconds() - self._own
        return max(0.0, busy - own) / max(time.perf_counter() - self._wall, 1e-9)
