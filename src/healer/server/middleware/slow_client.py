"""How long a client may take to send a body: as long as it needs, if it keeps sending."""

from __future__ import annotations

import asyncio
import time

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from healer.errors import ClientTooSlow
from healer.server.problems import refusal

# Bytes a second that a client must send, or read, on average. The slowest lines do better, and a
# client that means to keep us waiting would have to work for it.
LEAST_RATE = 4096


class SlowClientTimeout:
    """Only the time spent waiting for the client counts, not that when nobody asked for more."""

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self.app, self.seconds = app, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = TimedBody(receive, self.seconds)
        answering = False

        async def parting_send(message: Message) -> None:
            nonlocal answering
            if message["type"] == "http.response.start":
                answering = True
                if body.given_up:
                    MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        try:
            await self.app(scope, body.receive, parting_send)
        except ClientTooSlow as error:
            if answering:
                raise
            await refusal(Request(scope), error)(scope, receive, parting_send)


class TimedBody:
    def __init__(self, receive: Receive, seconds: float) -> None:
        self.given_up = False
        self._receive, self._seconds, self._left = receive, seconds, seconds
        self._whole = False

    async def receive(self) -> Message:
        """Raises ClientTooSlow. Once the body is whole, what is left to wait for is the client's
        going, which may take as long as its answer."""
        if self._whole:
            return await self._receive()
        began = time.monotonic()
        try:
            async with asyncio.timeout(self._left):
                message = await self._receive()
        except TimeoutError:
            self.given_up = True
            raise ClientTooSlow(self._seconds) from None
        earned = len(message.get("body", b"")) / LEAST_RATE
        self._left = min(self._seconds, self._left - (time.monotonic() - began) + earned)
        self._whole = not message.get("more_body", False)
        return message
