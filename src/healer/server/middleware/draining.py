"""Shutdown: what has begun is finished, and new requests are refused."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from healer.errors.base import ShuttingDown
from healer.server.problems import refusal
from healer.server.scope import PROBES, discard

if TYPE_CHECKING:
    from healer.server.service import Service


class Draining:
    """Counts the requests in flight. Once the service is stopping, a new request gets a 503, and
    every answer closes its connection, so that its client's next one reaches another instance."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self.app, self.service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def closing_send(message: Message) -> None:
            if message["type"] == "http.response.start" and self.service.stopping:
                MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        if scope["type"] != "http" or scope["path"] in PROBES:
            await self.app(scope, receive, send)
        elif self.service.stopping:
            await refuse(scope, receive, closing_send)
        else:
            await self._answer(scope, receive, closing_send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.service.in_flight += 1
        try:
            await self.app(scope, receive, send)
        finally:
            self.service.in_flight -= 1


async def refuse(scope: Scope, receive: Receive, send: Send) -> None:
    request = Request(scope, receive)
    with suppress(ClientDisconnect):
        await discard(request.stream())  # its client reads the refusal only afterwards
    await refusal(request, ShuttingDown())(scope, receive, send)
