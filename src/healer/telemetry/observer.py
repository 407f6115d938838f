"""An observer of tiles on their way through the queue and the engine.

Calls come from worker threads and from the event loop: an observer is quick, locks what it
shares, and never raises.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from healer.screening.screener import Score, Screener


class Observer(Protocol):
    def waiting(self, depth: int) -> None:
        """The queue's length changed; `depth` tiles wait now."""
        ...

    def dequeued(self, waits: Sequence[float]) -> None:
        """One batch was dequeued; each of its tiles had waited so many seconds."""
        ...

    def scored(self, screener: Screener, score: Score) -> None:
        """The engine has scored one tile, and its verdict is known."""
        ...

    def explained(self, pieces: int, seconds: float) -> None:
        """An explanation ended, whole or cut short, after so many pieces and seconds."""
        ...

    def failed(self, code: str) -> None:
        """A tile got no answer: `code` is that of the error, never a sentence."""
        ...


class Unobserved:
    """Observes nothing."""

    def waiting(self, depth: int) -> None: ...

    def dequeued(self, waits: Sequence[float]) -> None: ...

    def scored(self, screener: Screener, score: Score) -> None: ...

    def explained(self, pieces: int, seconds: float) -> None: ...

    def failed(self, code: str) -> None: ...
