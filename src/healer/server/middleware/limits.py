"""What is taken from a client: a head of limited size for a known host, a body that keeps coming,
and nothing new once the service is stopping."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from healer.errors.access import AccessError, ClientTooSlow, HeadTooLarge, HostUnknown
from healer.errors.base import ShuttingDown
from healer.server.problems import refusal
from healer.server.scope import PROBES, change_headers, discard

if TYPE_CHECKING:
    from healer.server.service import Service

LIMIT_BYTES = 16 * 1024  # of address and headers: several identity tokens
LIMIT_FIELDS = 100
# That a client must send, or read, on average: less than the slowest lines carry.
MIN_BYTES_PER_SECOND = 4096


class RequestHeadLimit:
    """`hosts` are the names, or *.names, that are served; empty means any."""

    def __init__(self, app: ASGIApp, hosts: Sequence[str]) -> None:
        self.app, self.hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and (error := self._error(scope)):
            await refusal(Request(scope), error)(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _error(self, scope: Scope) -> AccessError | None:
        if size_of(scope) > LIMIT_BYTES or len(scope["headers"]) > LIMIT_FIELDS:
            return HeadTooLarge(LIMIT_BYTES, LIMIT_FIELDS)
        # A container's probes call it by its address.
        if self.hosts and scope["path"] not in PROBES and not self._host_allowed(scope):
            return HostUnknown()
        return None

    def _host_allowed(self, scope: Scope) -> bool:
        host = host_of(Headers(scope=scope).get("host", ""))
        return any(
            host == name or (name.startswith("*.") and host.endswith(name[1:]))
            for name in self.hosts
        )


def host_of(header: str) -> str:
    """Without its port, in lower case; empty where it is no host."""
    try:
        return urlsplit(f"//{header}").hostname or ""
    except ValueError:
        return ""


def size_of(scope: Scope) -> int:
    address = len(scope.get("raw_path") or b"") + len(scope["query_string"])
    return address + sum(len(name) + len(value) for name, value in scope["headers"])


class SlowClientTimeout:
    """No limit while a client keeps sending, at MIN_BYTES_PER_SECOND on average. Counts only the
    time in which the application waits for the client."""

    def __init__(self, app: ASGIApp, seconds: float) -> None:
        self.app, self.seconds = app, seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        body = TimedBody(receive, self.seconds)
        response_started = False

        def close_if_timed_out(headers: MutableHeaders) -> None:
            nonlocal response_started
            response_started = True
            if body.timed_out:
                headers["Connection"] = "close"

        closing_send = change_headers(send, close_if_timed_out)
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


class Draining:
    """Counts the requests in flight. Once the service is stopping, a new request gets a 503, and
    every answer closes its connection, so that its client's next one reaches another instance."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        self.app, self.service = app, service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"] in PROBES:
            await self.app(scope, receive, send)
            return
        closing_send = change_headers(send, self._close_if_stopping)
        if self.service.stopping:
            await refuse_to_start(scope, receive, closing_send)
            return
        self.service.in_flight += 1
        try:
            await self.app(scope, receive, closing_send)
        finally:
            self.service.in_flight -= 1

    def _close_if_stopping(self, headers: MutableHeaders) -> None:
        if self.service.stopping:
            headers["Connection"] = "close"


async def refuse_to_start(scope: Scope, receive: Receive, send: Send) -> None:
    request = Request(scope, receive)
    with suppress(ClientDisconnect):
        await discard(request.stream())  # its client reads the refusal only afterwards
    await refusal(request, ShuttingDown())(scope, receive, send)
