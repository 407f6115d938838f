"""What watches an application: put around everything else, last."""

from __future__ import annotations

from fastapi import FastAPI

from healer.audit.journal import Journal
from healer.server.middleware.metrics import RequestMetrics
from healer.server.middleware.tracing import RequestTracing
from healer.server.service import Service
from healer.settings.loading import Settings
from healer.telemetry.metrics import Metrics, ServiceGauges
from healer.telemetry.tracing import Tracing


def install_instrumentation(app: FastAPI) -> None:
    """Its service, journal, metrics and tracing are in `app.state` by now."""
    service: Service = app.state.service
    journal: Journal = app.state.journal
    metrics: Metrics = app.state.metrics
    settings: Settings = app.state.settings
    tracing: Tracing | None = app.state.tracing
    metrics.follow(
        ServiceGauges(
            ready=lambda: service.status.reason is None,
            in_flight=lambda: service.in_flight,
            impaired=lambda: bool(journal.warnings()),
            screener=lambda: service.status.screener,
            places=settings.queue,
        )
    )
    if tracing is not None:
        app.add_middleware(RequestTracing, tracing=tracing)
    app.add_middleware(RequestMetrics, metrics=metrics)
