"""What is reported of tiles and requests on their way to an answer, for metrics and tracing.

The queue and the workers report to an Observer. A request's stages, and when each began, are in its
RequestTrace, read once the request has ended; `current_trace` gives it to code that serves the
request, on the event loop and in threads that carry the request's context.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

from healer.errors.base import HealerError

if TYPE_CHECKING:
    from healer.screening.screener import Score, Screener

CLIENT_GONE = "client_gone"


class Observer:
    """Ignores every event; `telemetry.metrics` counts them.

    Called from worker threads and from the event loop: an observer is quick, locks what it shares,
    and never raises.
    """

    def ready(self, screener: Screener) -> None:
        """A model is loaded and has passed its self-test."""

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


@dataclass(frozen=True, slots=True)
class Stage:
    """`started` and `ended` are nanoseconds of the system's clock; `parts` are stages within,
    seconds each, one after another."""

    name: str
    started: int
    ended: int
    parts: Mapping[str, float] = field(default_factory=dict)

    @property
    def seconds(self) -> float:
        return (self.ended - self.started) / 1e9


class RequestTrace:
    """Stages in the order they ended. `code` is a problem's, None where there was none; `status`
    its HTTP status, even where the answer had begun as a 200."""

    def __init__(self) -> None:
        # One reading of the clock: a clock that jumps must not turn a stage around.
        self._epoch = time.time_ns() - time.perf_counter_ns()
        self.started = self.now()
        self.stages: list[Stage] = []
        self.code: str | None = None
        self.status: int | None = None
        self.refused: Sequence[str] = ()  # the gate's reasons
        self.warned: Sequence[str] = ()
        self.figures: Mapping[str, float] = {}  # the gate's, where the picture was let through

    def now(self) -> int:
        return self._epoch + time.perf_counter_ns()

    def end_stage(self, stage: str, parts: Mapping[str, float] | None = None) -> None:
        """`stage` ended just now; it began where the one before it ended."""
        self.stages.append(Stage(stage, self._last(), self.now(), parts or {}))

    def add_stage(self, stage: str, seconds: float) -> None:
        """`stage` began where the one before it ended, and took `seconds`."""
        started = self._last()
        self.stages.append(Stage(stage, started, started + int(seconds * 1e9)))

    def add_stages(self, stages: Mapping[str, float]) -> None:
        """These stages took `seconds` each, one after another, and the last ended just now."""
        at = self.now() - int(sum(stages.values()) * 1e9)
        for stage, seconds in stages.items():
            self.stages.append(Stage(stage, at, at + int(seconds * 1e9)))
            at = self.stages[-1].ended

    def failed(self, code: str, status: int) -> None:
        self.code, self.status = code, status

    def seconds(self, stage: str) -> float | None:
        return next((each.seconds for each in self.stages if each.name == stage), None)

    def _last(self) -> int:
        return self.stages[-1].ended if self.stages else self.started


_trace: ContextVar[RequestTrace | None] = ContextVar("healer_trace", default=None)


def current_trace() -> RequestTrace:
    """This request's; outside of one, a new trace that is discarded."""
    return _trace.get() or RequestTrace()


@contextmanager
def tracing_request(trace: RequestTrace) -> Iterator[RequestTrace]:
    token = _trace.set(trace)
    try:
        yield trace
    finally:
        _trace.reset(token)


def request_outcome(status: int | None, code: str | None) -> str:
    if status is None or code == CLIENT_GONE:
        return "gone"
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return "failed"
    return "refused" if status >= HTTPStatus.BAD_REQUEST else "ok"


def known_codes() -> frozenset[str]:
    """Of our errors, and of those that only HTTP has."""
    routing = (status.phrase.lower().replace(" ", "_") for status in HTTPStatus)
    return frozenset(
        {CLIENT_GONE, "internal_error", *(kind.code for kind in _kinds(HealerError)), *routing}
    )


def _kinds(kind: type[HealerError]) -> Iterator[type[HealerError]]:
    yield kind
    for child in kind.__subclasses__():
        yield from _kinds(child)
