"""What one request went through, and when: read by metrics and traces once it has ended.

Whoever answers finds its request's trail with `current`, on the event loop and in threads that
carry the request's context.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

GONE = "client_gone"


@dataclass(frozen=True, slots=True)
class Leg:
    """`began` and `ended` are nanoseconds of the system's clock; `parts` are stages within, seconds
    each, one after another."""

    stage: str
    began: int
    ended: int
    parts: Mapping[str, float] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        return (self.ended - self.began) / 1e9


class Trail:
    """Stages in the order they ended. `code` is a problem's, None where there was none; `status`
    what that problem would have had, had the answer not begun as a 200 already."""

    def __init__(self) -> None:
        # One reading of the clock: a clock that jumps must not turn a stage around.
        self._epoch = time.time_ns() - time.perf_counter_ns()
        self.began = self.now()
        self.legs: list[Leg] = []
        self.code: str | None = None
        self.status: int | None = None
        self.refused: Sequence[str] = ()  # the gate's reasons
        self.warned: Sequence[str] = ()
        self.figures: Mapping[str, float] = {}  # the gate's, where the picture was let through

    def now(self) -> int:
        return self._epoch + time.perf_counter_ns()

    def reached(self, stage: str, parts: Mapping[str, float] | None = None) -> None:
        """`stage` ended just now; it began where the one before it ended."""
        self.legs.append(Leg(stage, self._last(), self.now(), parts or {}))

    def passed(self, stage: str, seconds: float) -> None:
        """`stage` began where the one before it ended, and took so long."""
        began = self._last()
        self.legs.append(Leg(stage, began, began + int(seconds * 1e9)))

    def ended(self, stages: Mapping[str, float]) -> None:
        """These stages took so many seconds, one after another, and the last ended just now."""
        at = self.now() - int(sum(stages.values()) * 1e9)
        for stage, seconds in stages.items():
            self.legs.append(Leg(stage, at, at + int(seconds * 1e9)))
            at = self.legs[-1].ended

    def failed(self, code: str, status: int) -> None:
        self.code, self.status = code, status

    def seconds(self, stage: str) -> float | None:
        return next((leg.seconds for leg in self.legs if leg.stage == stage), None)

    def _last(self) -> int:
        return self.legs[-1].ended if self.legs else self.began


_trail: ContextVar[Trail | None] = ContextVar("healer_trail", default=None)


def current() -> Trail:
    """This request's; outside of one, a trail that nobody reads."""
    return _trail.get() or Trail()


@contextmanager
def following(trail: Trail) -> Iterator[Trail]:
    held = _trail.set(trail)
    try:
        yield trail
    finally:
        _trail.reset(held)
