"""A span for each request, and its ids in each of the request's log lines."""

from __future__ import annotations

import structlog
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from healer.server.scope import PROBES, route_of
from healer.telemetry.request_trace import current_trace
from healer.telemetry.tracing import Tracing, known_method, trace_ids


class RequestTracing:
    """Directly inside RequestMetrics, whose trace it exports. Probes are not traced."""

    def __init__(self, app: ASGIApp, tracing: Tracing) -> None:
        self.app, self.tracing = app, tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in PROBES:
            await self.app(scope, receive, send)
            return
        status: int | None = None

        async def status_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        trace = current_trace()
        method, parent = known_method(scope["method"]), Headers(scope=scope).get("traceparent", "")
        with (
            self.tracing.request(method, parent, trace.started) as span,
            structlog.contextvars.bound_contextvars(**trace_ids(span)),
        ):
            try:
                await self.app(scope, receive, status_send)
            except Exception:
                status = status or 500  # sent further out
                raise
            finally:
                self.tracing.end_request(span, method, route_of(scope), status, trace)
