"""What routes and middleware share about a request: header names, keys of its scope, its route."""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable

from starlette.datastructures import MutableHeaders
from starlette.requests import HTTPConnection
from starlette.types import Message, Scope, Send

REQUEST_ID_HEADER = "X-Request-ID"
TIMEOUT_HEADER = "X-Request-Timeout"
PROBES = frozenset({"/health", "/ready", "/metrics"})  # answered also during a shutdown
REQUEST_ID = "healer.request_id"  # a key of the scope, set by middleware/instrumentation.py
CALLER = "healer.caller"  # a key of the scope, set by middleware/access.py
# A client reads a refusal only after it has sent its body, of which this much is discarded.
DISCARDED_BYTES = 64 * 1024 * 1024


def request_id_of(connection: HTTPConnection) -> str:
    return str(connection.scope[REQUEST_ID])


def caller_of(connection: HTTPConnection) -> str | None:
    """The name of an API key or the subject of a token; None where no caller is known."""
    return connection.scope.get(CALLER)


def route_of(scope: Scope) -> str:
    """The template, never the path: a path may hold a name."""
    return str(getattr(scope.get("route"), "path", "unknown"))


def change_headers(send: Send, change: Callable[[MutableHeaders], None]) -> Send:
    """`send`, with `change` applied to the headers of the response before they are sent."""

    async def changing_send(message: Message) -> None:
        if message["type"] == "http.response.start":
            change(MutableHeaders(scope=message))
        await send(message)

    return changing_send


async def discard(body: AsyncIterable[bytes]) -> None:
    """Read a body that is refused, up to DISCARDED_BYTES."""
    discarded = 0
    async for chunk in body:
        discarded += len(chunk)
        if discarded > DISCARDED_BYTES:
            return
