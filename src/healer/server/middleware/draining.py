"""The way out: a service that was asked to stop finishes what it has begun and refuses the rest."""

from __future__ import annotations

from contextlib import suppress

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from healer.errors import ShuttingDown
from healer.server.problems import refusal
from healer.server.requests import drain
from healer.server.service import Service

PROBES = frozenset({"/health", "/ready", "/metrics"})  # answered to the end, and never waited for


class Draining:
    """Counts what is in flight. Once the service has retired, a new request gets a 503, and every
    answer asks its client to connect anew, which leads it elsewhere."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self.app, self.service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def leaving_send(message: Message) -> None:
            if message["type"] == "http.response.start" and self.service.retired:
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        if scope["type"] != "http" or scope["path"] in PROBES:
            await self.app(scope, receive, send)
        elif self.service.retired:
            await refuse(scope, receive, leaving_send)
        else:
            await self._answer(scope, receive, leaving_send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.service.in_flight += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self.service.in_flight -= 1


async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
    request = Request(scope, receive)
    with suppress(ClientDisconnect):
        await drain(request.stream())  # its client would not read our refusal before it is done
    await refusal(request, ShuttingDown())(scope, receive, send)
