"""Stops asking a server that keeps failing.

Our own, because of the published ones pybreaker lets one thread in at a time and purgatory has no
lock at all.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Resting(Exception):
    """Nobody is let through for `seconds`, because of `cause`."""

    def __init__(self, seconds: float, cause: str) -> None:
        super().__init__(f"asked again in {seconds:.0f} s")
        self.seconds, self.cause = seconds, cause


class Breaker:
    """After `threshold` failures in a row nobody is let through for `rest` seconds, then one; its
    success lets everyone through again, its failure begins another rest. For any thread."""

    def __init__(self, threshold: int, rest: float) -> None:
        self._threshold, self._rest = threshold, rest
        self._lock = threading.Lock()
        self._failures = 0
        self._until = 0.0
        self._trying = False
        self._cause = ""

    @contextmanager
    def watch(self, failure: type[Exception]) -> Iterator[None]:
        """Only `failure` counts as one. Raises Resting instead of letting anyone in."""
        self._enter()
        try:
            yield
        except failure as error:
            self._failed(str(error))
            raise
        except BaseException:
            self._leave()
            raise
        self._succeeded()

    def check(self) -> None:
        """Raises Resting while nobody would be let through."""
        with self._lock:
            left = self._until - time.monotonic()
            if self._failures >= self._threshold and left > 0:
                raise Resting(left, self._cause)

    def _enter(self) -> None:
        self.check()
        with self._lock:
            if self._failures < self._threshold:
                return
            if self._trying:
                raise Resting(self._rest, self._cause)
            self._trying = True

    def _leave(self) -> None:
        with self._lock:
            self._trying = False

    def _succeeded(self) -> None:
        with self._lock:
            self._failures, self._trying = 0, False

    def _failed(self, cause: str) -> None:
        with self._lock:
            self._failures, self._trying, self._cause = self._failures + 1, False, cause
            self._until = time.monotonic() + self._rest
