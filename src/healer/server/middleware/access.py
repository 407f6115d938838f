"""Authentication, and the rate limit of each caller."""

from __future__ import annotations

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

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
from healer.problem import status_of
from healer.server.problems import refusal
from healer.server.scope import CALLER

# /health and /ready say nothing of an image; the page and the contract are as public as Healer's
# source, and a browser opens the page before it can send a key. Whatever is not named here is
# closed: /metrics too, since its difference over one answer is the verdict.
OPEN_PATHS = frozenset({"/", "/health", "/ready", "/openapi.json", "/docs"})
OPEN_BELOW = ("/page/", "/docs/")
RATED = frozenset({"/predict"})  # what asks the model
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
            allowance = await self._counted(scope, caller)
        except HealerError as error:
            await self._refused(scope, error)(scope, receive, send)
            return
        if caller is not None:
            scope[CALLER] = caller
        await self.app(scope, receive, rate_limit_headers(send, allowance) if allowance else send)

    async def _caller(self, scope: Scope) -> str | None:
        server = scope.get("server")
        return await self.authenticator.caller(Headers(scope=scope), server[0] if server else "")

    async def _counted(self, scope: Scope, caller: str | None) -> RateLimitStatus | None:
        if self.rates is None or scope["path"] not in RATED:
            return None
        client = scope.get("client")
        # Apart from addresses, so that no key can be named like one.
        who = f"caller {caller}" if caller else rate_limit_key(client[0] if client else "")
        return await self.rates.count(who)

    def _refused(self, scope: Scope, error: HealerError) -> Response:
        response = refusal(Request(scope), error)
        if status_of(type(error)) == 401:
            wrong = isinstance(error, KeyRejected | KeyExpired | IdentityRejected)
            challenge = f'{REALM}, error="invalid_token"' if wrong else REALM
            response.headers["WWW-Authenticate"] = challenge
        return response


def is_open(path: str) -> bool:
    return path in OPEN_PATHS or path.startswith(OPEN_BELOW)


def rate_limit_headers(send: Send, allowance: RateLimitStatus) -> Send:
    """RateLimit headers, as the IETF's draft has them."""

    async def limited_send(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["RateLimit-Policy"] = f'"caller";q={allowance.quota};w={allowance.window}'
            headers["RateLimit"] = f'"caller";r={allowance.remaining};t={allowance.reset}'
        await send(message)

    return limited_send
