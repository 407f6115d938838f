"""Who is told what happens to tiles on their way through the queue and the engine.

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

    def taken(self, waits: Sequence[float]) -> None:
        """One batch was taken from the queue; each of its tiles had waited so many seconds."""
        ...

    def looked(self, screener: Screener, look: Score) -> None:
        """The engine has looked at one tile, and a verdict is known."""
        ...

    def explained(self, pieces: int, seconds: float) -> None:
        """An explanation ended, whole or cut short, after so many pieces and seconds."""
        ...

    def failed(self, code: str) -> None:
        """A tile got no answer: `code` is that of the error, never a sentence."""
        ...


class Unobserved:
    """Tells nobody."""

    def waiting(self, depth: int) -> None: ...

    def taken(self, waits: Sequence[float]) -> None: ...

    def looked(self, screener: Screener, look: Score) -> None: ...

    def explained(self, pieces: int, seconds: float) -> None: ...

    def failed(self, code: str) -> None: ...
