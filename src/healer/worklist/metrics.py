"""Prometheus metrics of the reading of slides. No label holds an id or a name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

Outcome = Literal["read", "failed", "cancelled", "interrupted"]
SECONDS = (1, 5, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400)


class ReadingMetrics:
    """For several threads. `interrupted` is a reading that will go on: paused, or at a stop."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry
        self._readings = Counter(
            "healer_slide_readings",
            "Readings of slides that ended.",
            ["outcome"],
            registry=registry,
        )
        self._tiles = Counter("healer_slide_tiles", "Tiles of slides read.", registry=registry)
        self._seconds = Histogram(
            "healer_slide_seconds",
            "Seconds from the start of a reading until the slide was answered.",
            buckets=SECONDS,
            registry=registry,
        )
        for outcome in get_args(Outcome):
            self._readings.labels(outcome)  # from 0 on, so that the first is an increase

    def watch_waiting(self, waiting: Callable[[], int]) -> None:
        """Called at each scrape; must not block."""
        text = "Slides that wait to be read, with the one that is being read."
        gauge = Gauge("healer_slides_waiting", text, registry=self._registry)
        gauge.set_function(waiting)

    def tiles_read(self, tiles: int) -> None:
        self._tiles.inc(max(0, tiles))

    def ended(self, outcome: Outcome, seconds: float) -> None:
        self._readings.labels(outcome).inc()
        if outcome == "read":
            self._seconds.observe(seconds)
