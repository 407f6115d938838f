"""What a watcher is doing, over HTTP: /health as JSON and /metrics for Prometheus."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from prometheus_client import CollectorRegistry, make_wsgi_app
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from healer import __version__
from healer.hospital.watch import WatchState

Start = Callable[[str, list[tuple[str, str]]], Any]


class WatchMetrics(Collector):
    def __init__(self, state: WatchState) -> None:
        self._state = state

    def collect(self) -> Iterable[Metric]:
        series = GaugeMetricFamily(
            "healer_watch_series", "Series of the archive, by state.", labels=["state"]
        )
        for name, count in self._state.counts.items():
            series.add_metric([name], count)
        yield series
        yield CounterMetricFamily(
            "healer_watch_answered", "Slides read by this process.", self._state.answered
        )
        yield GaugeMetricFamily(
            "healer_watch_last_poll_timestamp_seconds",
            "When the archive was last searched, in seconds since 1970.",
            self._state.last_poll or 0,
        )
        yield GaugeMetricFamily(
            "healer_watch_problem",
            "1 while the archive or the record system does not take part.",
            int(self._state.problem is not None),
        )


def health(state: WatchState) -> dict[str, Any]:
    return {
        "status": "degraded" if state.problem else "ok",
        "version": __version__,
        "problem": state.problem,
        "last_poll": state.last_poll,
        "reading": state.reading,
        "series": state.counts,
    }


@contextmanager
def served(state: WatchState, host: str, port: int) -> Iterator[int]:
    """The port, while it is served. Raises OSError."""
    registry = CollectorRegistry()
    registry.register(WatchMetrics(state))
    metrics = make_wsgi_app(registry)

    def answer(environ: dict[str, Any], start: Start) -> Iterable[bytes]:
        if environ["PATH_INFO"] == "/metrics":
            return metrics(environ, start)  # type: ignore[no-any-return]
        if environ["PATH_INFO"] != "/health":
            start("404 Not Found", [("Content-Type", "text/plain")])
            return [b"/health and /metrics are here\n"]
        start("200 OK", [("Content-Type", "application/json")])
        return [json.dumps(health(state)).encode()]

    with make_server(host, port, answer, handler_class=_Quiet) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None: ...
