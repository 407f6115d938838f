"""An id for every request, in its response and its log lines; and the access log itself."""

from __future__ import annotations

import re
import time

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from healer.problem import new_request_id
from healer.server.scope import REQUEST_ID, REQUEST_ID_HEADER, route_of
from healer.telemetry.request_trace import current_trace
from healer.telemetry.tracing import known_method

log = structlog.get_logger(__name__)

_ACCEPTABLE = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestId:
    """Takes the caller's X-Request-ID where it is harmless, and makes one otherwise."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        offered = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
        request_id = offered if _ACCEPTABLE.fullmatch(offered) else new_request_id()
        scope[REQUEST_ID] = request_id
        with structlog.contextvars.bound_contextvars(request_id=request_id):
            await self._named(scope, receive, send, request_id)

    async def _named(self, scope: Scope, receive: Receive, send: Send, request_id: str) -> None:
        started = time.perf_counter()
        status = 0

        async def named_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)[REQUEST_ID_HEADER] = request_id
            await send(message)

        try:
            await self.app(scope, receive, named_send)
        finally:
            code = current_trace().code
            log.info(
                "request",
                method=known_method(scope["method"]),
                route=route_of(scope),
                status=status,
                ms=round((time.perf_counter() - started) * 1000, 1),
                **({} if code is None else {"code": code}),
            )
