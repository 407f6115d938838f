"""Limits on a request's head: its size, its fields, and the host it is sent to."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from healer.errors.access import AccessError, HeadTooLarge, HostUnknown
from healer.server.problems import refusal
from healer.server.scope import PROBES

LIMIT_BYTES = 16 * 1024  # of address and headers: several identity tokens
LIMIT_FIELDS = 100


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
