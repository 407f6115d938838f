"""What every response has in common: security headers, no body for HEAD, and a problem document
where something failed that nobody foresaw."""

from __future__ import annotations

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from healer.server.problems import unforeseen
from healer.server.scope import change_headers

# An answer may say something of a patient's tissue, so no browser or proxy keeps it.
SECURITY_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class SecurityHeaders:
    """A browser may do nothing with a response but return it to the caller. One that says
    otherwise, as the page does, is left as it is."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.app(scope, receive, change_headers(send, add_security_headers))


def add_security_headers(headers: MutableHeaders) -> None:
    for name, value in SECURITY_HEADERS.items():
        headers.setdefault(name, value)


class HeadMethod:
    """HEAD wherever there is GET: the same status and headers, and no body (RFC 9110, 9.3.2). The
    application sees a GET, the outer middleware a HEAD."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self.app(scope, receive, send)
            return

        async def bodiless_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                await send(message)
            elif not message.get("more_body", False):
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        as_get = {**scope, "method": "GET"}
        try:
            await self.app(as_get, receive, bodiless_send)
        finally:
            scope.update({**as_get, "method": "HEAD"})  # the route, for the log


class UnexpectedErrors:
    """The innermost, so that the answer to a failure is named, hardened and counted like every
    other."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        started = False

        async def started_send(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self.app(scope, receive, started_send)
        except Exception as error:
            if started or scope["type"] != "http":
                raise
            await (await unforeseen(Request(scope), error))(scope, receive, send)
