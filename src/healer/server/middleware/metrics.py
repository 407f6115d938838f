"""`/metrics`, and the middleware that counts every request when it has ended."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response
from prometheus_client.exposition import choose_encoder
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from healer.server.scope import route_of
from healer.telemetry.metrics import Metrics
from healer.telemetry.request_trace import CLIENT_GONE, RequestTrace, tracing_request

metrics_router = APIRouter()


@metrics_router.get("/metrics", include_in_schema=False)
async def metrics(request: Request) -> Response:
    """Prometheus' text format, or OpenMetrics where `Accept` asks for it."""
    encode, media_type = choose_encoder(request.headers.get("accept", ""))
    found: Metrics = request.app.state.metrics
    return Response(encode(found.registry), media_type=media_type)


class RequestMetrics:
    """Gives each request its trace. The outermost middleware, so that no refusal goes uncounted."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        with tracing_request(RequestTrace()) as trace:
            await ResponseWatch(self.app, trace, self.metrics).answer(scope, receive, send)


class ResponseWatch:
    """One request's answer as it passes by."""

    def __init__(self, app: ASGIApp, trace: RequestTrace, metrics: Metrics) -> None:
        self._app, self._trace, self._metrics = app, trace, metrics
        self._status: int | None = None
        self._complete = False

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def watched_receive() -> Message:
            message = await receive()
            if message["type"] == "http.disconnect" and not self._complete:
                self._trace.failed(CLIENT_GONE, 400)
            return message

        async def watched_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._status = message["status"]
            elif not message.get("more_body", False):
                self._complete = True
            await send(message)

        try:
            await self._app(scope, watched_receive, watched_send)
        except Exception:
            self._trace.failed("internal_error", 500)
            self._status = self._status or 500  # sent further out
            raise
        finally:
            self._metrics.request(route_of(scope), self._status, self._trace)
