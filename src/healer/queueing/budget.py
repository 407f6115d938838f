"""Memory for pictures: what is received, waits or is looked at counts, byte by byte."""

from __future__ import annotations


class Overdrawn(Exception):
    pass


class Budget:
    """Of one event loop. Whoever is alone may take what it needs: a single picture always fits."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.held = 0

    def hold(self) -> Hold:
        return Hold(self)


class Hold:
    """One request's share. Its `release` does no harm twice."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._bytes = 0

    def add(self, count: int) -> None:
        """Raises Overdrawn."""
        others = self._budget.held - self._bytes
        if others and self._budget.held + count > self._budget.limit:
            raise Overdrawn
        self._budget.held += count
        self._bytes += count

    def release(self) -> None:
        self._budget.held -= self._bytes
        self._bytes = 0
