"""What watches an application: put around everything else, last."""

from __future__ import annotations

from fastapi import FastAPI

from healer.audit.journal import Journal
from healer.config import Settings
from healer.observing.metrics import Followed, Metrics
from healer.observing.tracing import Tracing
from healer.serving.metrics import Measured
from healer.serving.service import Service
from healer.serving.tracing import Traced


def install(app: FastAPI) -> None:
    """Its service, journal, metrics and tracing are in `app.state` by now."""
    service: Service = app.state.service
    journal: Journal = app.state.journal
    metrics: Metrics = app.state.metrics
    settings: Settings = app.state.settings
    tracing: Tracing | None = app.state.tracing
    metrics.follow(
        Followed(
            ready=lambda: service.status.reason is None,
            in_flight=lambda: service.in_flight,
            impaired=lambda: bool(journal.warnings()),
            screener=lambda: service.status.screener,
            places=settings.queue,
        )
    )
    if tracing is not None:
        app.add_middleware(Traced, tracing=tracing)
    app.add_middleware(Measured, metrics=metrics)
