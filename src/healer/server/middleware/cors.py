"""Cross-origin pages: only those of HEALER_CORS_ORIGINS may send requests."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from healer.errors.request import PreflightRefused
from healer.server.problems import refusal
from healer.server.scope import REQUEST_ID_HEADER, TIMEOUT_HEADER
from healer.settings.loading import Settings

METHODS = ("GET", "HEAD", "POST")
REQUEST_HEADERS = (
    "Accept",
    "Authorization",
    "Content-Type",
    "Traceparent",
    "Tracestate",
    "X-API-Key",
    REQUEST_ID_HEADER,
    TIMEOUT_HEADER,
)
RESPONSE_HEADERS = (
    "Accept-Encoding",
    "Allow",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "WWW-Authenticate",
    REQUEST_ID_HEADER,
)
STARLETTES_WORDS = "Disallowed CORS "


class Origins(CORSMiddleware):
    """A preflight that fails is a problem document, too: its reader is the page's developer."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and is_preflight(scope):
            await self._preflight(scope)(scope, receive, send)
        elif self.allow_origins:
            await super().__call__(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    def _preflight(self, scope: Scope) -> Response:
        answer = self.preflight_response(request_headers=Headers(scope=scope))
        if answer.status_code == 200:
            return answer
        what = bytes(answer.body).decode().removeprefix(STARLETTES_WORDS)
        error = PreflightRefused(what, ", ".join(METHODS), ", ".join(self.allow_headers))
        refused = refusal(Request(scope), error)
        for name, value in answer.headers.items():
            refused.headers.setdefault(name, value)
        return refused


def is_preflight(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    asks = "origin" in headers and "access-control-request-method" in headers
    return asks and scope["method"] == "OPTIONS"


def install_cors(app: FastAPI, settings: Settings) -> None:
    app.add_middleware(
        Origins,
        allow_origins=settings.cors_origins.split(",") if settings.cors_origins else (),
        allow_methods=METHODS,
        allow_headers=(*REQUEST_HEADERS, settings.oidc_header),
        expose_headers=RESPONSE_HEADERS,
    )
