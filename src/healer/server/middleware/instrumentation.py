"""What is known of every request once it has ended: its id, log line, metrics and span."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from healer.answer import new_request_id
from healer.server.scope import PROBES, REQUEST_ID, REQUEST_ID_HEADER, change_headers, route_of
from healer.telemetry.metrics import Metrics
from healer.telemetry.observation import CLIENT_GONE, RequestTrace, tracing_request
from healer.telemetry.tracing import Tracing, trace_ids

if TYPE_CHECKING:
    from opentelemetry.trace import Span

log = structlog.get_logger(__name__)

ACCEPTABLE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Instrumentation:
    """The outermost middleware, so that no refusal goes uncounted. Probes have no span."""

    def __init__(self, app: ASGIApp, metrics: Metrics, tracing: Tracing | None) -> None:
        self.app, self.metrics, self.tracing = app, metrics, tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        scope[REQUEST_ID] = request_id_from(headers)
        with (
            tracing_request(RequestTrace()) as trace,
            self._span(scope, headers, trace) as span,
            structlog.contextvars.bound_contextvars(
                request_id=scope[REQUEST_ID], **(trace_ids(span) if span else {})
            ),
        ):
            exchange = Exchange(receive, send, trace)
            try:
                await self.app(scope, exchange.receive, named(exchange.send, scope[REQUEST_ID]))
            except Exception:
                exchange.fail()
                raise
            finally:
                self._record(scope, exchange.status, trace, span)

    @contextmanager
    def _span(self, scope: Scope, headers: Headers, trace: RequestTrace) -> Iterator[Span | None]:
        if self.tracing is None or scope["path"] in PROBES:
            yield None
            return
        method, parent = known_method(scope["method"]), headers.get("traceparent", "")
        with self.tracing.request(method, parent, trace.started) as span:
            yield span

    def _record(
        self, scope: Scope, status: int | None, trace: RequestTrace, span: Span | None
    ) -> None:
        method, route = known_method(scope["method"]), route_of(scope)
        log.info(
            "request",
            method=method,
            route=route,
            status=status or 0,
            ms=round((trace.now() - trace.started) / 1e6, 1),
            **({} if trace.code is None else {"code": trace.code}),
        )
        if self.tracing is not None and span is not None:
            self.tracing.end_request(span, method, route, status, trace)
        self.metrics.request(route, status, trace)


class Exchange:
    """One request and its response, observed in passing. `status` is None until there is one."""

    def __init__(self, receive: Receive, send: Send, trace: RequestTrace) -> None:
        self.status: int | None = None
        self._receive, self._send, self._trace = receive, send, trace
        self._complete = False

    async def receive(self) -> Message:
        message = await self._receive()
        if message["type"] == "http.disconnect" and not self._complete:
            self._trace.failed(CLIENT_GONE, 400)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        elif not message.get("more_body", False):
            self._complete = True
        await self._send(message)

    def fail(self) -> None:
        """An exception left the application."""
        self._trace.failed("internal_error", 500)
        self.status = self.status or 500  # sent further out


def request_id_from(headers: Headers) -> str:
    """The caller's X-Request-ID where it is harmless, and a new one otherwise."""
    offered = headers.get(REQUEST_ID_HEADER, "")
    return offered if ACCEPTABLE_ID.fullmatch(offered) else new_request_id()


def named(send: Send, request_id: str) -> Send:
    def add_id(headers: MutableHeaders) -> None:
        headers[REQUEST_ID_HEADER] = request_id

    return change_headers(send, add_id)


def known_method(method: str) -> str:
    """The method, or `_OTHER` where it is none of HTTP's: a client may send any text."""
    return method if method in METHODS else "_OTHER"
