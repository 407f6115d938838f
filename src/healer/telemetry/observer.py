"""What the queue and the workers report about tiles on their way to an answer.

Calls come from worker threads and from the event loop: an observer is quick, locks what it
shares, and never raises.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from healer.screening.screener import Score, Screener


class Observer:
    """Ignores every event; `telemetry.metrics` counts them."""

    def queue_depth(self, depth: int) -> None:
        """The queue's length changed; `depth` tiles wait now."""

    def dequeued(self, waits: Sequence[float]) -> None:
        """One batch was taken from the queue; its tiles had waited this many seconds each."""

    def scored(self, screener: Screener, score: Score) -> None:
        """The engine has scored one tile, and a verdict is known."""

    def explained(self, pieces: int, seconds: float) -> None:
        """An explanation ended, whole or cut short, after so many pieces and seconds."""

    def failed(self, code: str) -> None:
        """A tile got no answer: `code` is that of the error, never a sentence."""
