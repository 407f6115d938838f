"""Time limit for bodies: none while a client keeps sending, at MIN_BYTES_PER_SECOND on average."""

from __future__ import annotations

import asyncio
import time

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from healer.errors.access import ClientTooSlow
from healer.server.problems import refusal

# That a client must send, or read, on average: less than the slowest lines carry.
MIN_BYTES_PER_SECOND = 4096


class SlowClientTimeout:
    """Counts only the time in which the application waits for the client."""

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self.app, self.seconds = app, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = TimedBody(receive, self.seconds)
        response_started = False

        async def closing_send(message: Message) -> None:
            nonlocal response_started
            if message["type"] == "http.response.start":
                response_started = True
                if body.timed_out:
                    MutableHeaders(scope=message)["Connection"] = "close"
            await send(message)

        try:
            await self.app(scope, body.receive, closing_send)
        except ClientTooSlow as error:
            if response_started:
                raise
            await refusal(Request(scope), error)(scope, receive, closing_send)


class TimedBody:
    def __init__(self, receive: Receive, seconds: float) -> None:
        self.timed_out = False
        self._receive, self._seconds, self._remaining = receive, seconds, seconds
        self._complete = False

    async def receive(self) -> Message:
        """Raises ClientTooSlow. After the body only a disconnect can come, which has no limit."""
        if self._complete:
            return await self._receive()
        started = time.monotonic()
        try:
            async with asyncio.timeout(self._remaining):
                message = await self._receive()
        except TimeoutError:
            self.timed_out = True
            raise ClientTooSlow(self._seconds) from None
        earned = len(message.get("body", b"")) / MIN_BYTES_PER_SECOND
        self._remaining = min(
            self._seconds, self._remaining - (time.monotonic() - started) + earned
        )
        self._complete = not message.get("more_body", False)
        return message
