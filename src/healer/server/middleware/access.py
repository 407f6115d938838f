"""Who may send requests: pages of which origins, which callers, and how often each."""

from __future__ import annotations

from fastapi import FastAPI
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from healer.auth.authenticator import Authenticator
from healer.auth.rate_limit import RateLimiter, RateLimitStatus, rate_limit_key
from healer.errors.access import (
    ClientTooSlow,
    CredentialsMissing,
    HeadTooLarge,
    HostUnknown,
    IdentityRejected,
    IdentityUnavailable,
    KeyExpired,
    KeyRejected,
    RemoteAccessDenied,
)
from healer.errors.base import HealerError
from healer.errors.request import PreflightRefused
from healer.problem import status_of
from healer.server.problems import refusal
from healer.server.scope import CALLER, REQUEST_ID_HEADER, TIMEOUT_HEADER, change_headers
from healer.settings.loading import Settings

# /health and /ready say nothing of an image; the page and the contract are as public as Healer's
# source, and a browser opens the page before it can send a key. Whatever is not named here is
# closed: /metrics too, since its difference over one answer is the verdict.
OPEN_PATHS = frozenset({"/", "/health", "/ready", "/openapi.json", "/docs"})
OPEN_BELOW = ("/page/", "/docs/")
RATED = frozenset({"/predict"})  # what uses the model
REALM = 'Bearer realm="healer"'

REFUSALS: tuple[type[HealerError], ...] = (
    CredentialsMissing,
    KeyRejected,
    KeyExpired,
    IdentityRejected,
    IdentityUnavailable,
    RemoteAccessDenied,
    HostUnknown,
    HeadTooLarge,
    ClientTooSlow,
)


class Authentication:
    def __init__(
        self, app: ASGIApp, authenticator: Authenticator, rates: RateLimiter | None
    ) -> None:
        self.app, self.authenticator, self.rates = app, authenticator, rates

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or is_open(scope["path"]):
            await self.app(scope, receive, send)
            return
        try:
            caller = await self._caller(scope)
            status = await self._counted(scope, caller)
        except HealerError as error:
            await self._refused(scope, error)(scope, receive, send)
            return
        if caller is not None:
            scope[CALLER] = caller
        await self.app(scope, receive, rate_limit_headers(send, status) if status else send)

    async def _caller(self, scope: Scope) -> str | None:
        server = scope.get("server")
        return await self.authenticator.caller(Headers(scope=scope), server[0] if server else "")

    async def _counted(self, scope: Scope, caller: str | None) -> RateLimitStatus | None:
        if self.rates is None or scope["path"] not in RATED:
            return None
        client = scope.get("client")
        # Apart from addresses, so that no key can be named like one.
        counted = f"caller {caller}" if caller else rate_limit_key(client[0] if client else "")
        return await self.rates.count(counted)

    def _refused(self, scope: Scope, error: HealerError) -> Response:
        response = refusal(Request(scope), error)
        if status_of(type(error)) == 401:
            wrong = isinstance(error, KeyRejected | KeyExpired | IdentityRejected)
            challenge = f'{REALM}, error="invalid_token"' if wrong else REALM
            response.headers["WWW-Authenticate"] = challenge
        return response


def is_open(path: str) -> bool:
    return path in OPEN_PATHS or path.startswith(OPEN_BELOW)


def rate_limit_headers(send: Send, status: RateLimitStatus) -> Send:
    """RateLimit headers, as the IETF's draft has them."""

    def add_rate_limit(headers: MutableHeaders) -> None:
        headers["RateLimit-Policy"] = f'"caller";q={status.quota};w={status.window}'
        headers["RateLimit"] = f'"caller";r={status.remaining};t={status.reset}'

    return change_headers(send, add_rate_limit)


CORS_METHODS = ("GET", "HEAD", "POST")
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
    """Only pages of HEALER_CORS_ORIGINS may send requests. A preflight that fails is a problem
    document, too: its reader is the page's developer."""

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
        error = PreflightRefused(what, ", ".join(CORS_METHODS), ", ".join(self.allow_headers))
        refused = refusal(Request(scope), error)
        for name, value in answer.headers.items():
            refused.headers.setdefault(name, value)
        return refused


def is_preflight(scope: Scope) -> bool:
    headers = Headers(scope=scope)
    announced = "origin" in headers and "access-control-request-method" in headers
    return announced and scope["method"] == "OPTIONS"


def install_cors(app: FastAPI, settings: Settings) -> None:
    app.add_middleware(
        Origins,
        allow_origins=settings.cors_origins.split(",") if settings.cors_origins else (),
        allow_methods=CORS_METHODS,
        allow_headers=(*REQUEST_HEADERS, settings.oidc_header),
        expose_headers=RESPONSE_HEADERS,
    )
