"""Refusing at the least cost while the queue is full.

At many times the capacity most requests end in a 429, and each takes processor time from the
answers: HTTP's states, layers of middleware and routing. Here one is refused by the bytes of its
head, before any of that, and its body is dropped as it comes. The response, the log line and the
metrics are the long way's. That way is left to a head with anything unusual in it, and to every
request of a service whose callers are known, limited, traced or pages of another origin.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, Self

from healer.answer import new_request_id
from healer.errors.base import HealerError
from healer.errors.scheduling import QueueFull
from healer.problem import Problem
from healer.server.middleware.instrumentation import ACCEPTABLE_ID
from healer.server.middleware.limits import LIMIT_BYTES, LIMIT_FIELDS
from healer.server.middleware.responses import SECURITY_HEADERS
from healer.server.problems import MEDIA_TYPE, retry_headers
from healer.server.scope import REQUEST_ID_HEADER
from healer.telemetry.logs import FrequentLine
from healer.telemetry.observation import RequestTrace

if TYPE_CHECKING:
    from fastapi import FastAPI
    from uvicorn.protocols.http.h11_impl import H11Protocol

    from healer.auth.authenticator import Authenticator
    from healer.server.service import Service
    from healer.settings.loading import Settings
    from healer.telemetry.metrics import Metrics

ROUTE = "/predict"
LARGEST_BODY = 8 * 1024 * 1024  # one that is longer has its own limits of time
STATUS = HTTPStatus.TOO_MANY_REQUESTS
START = f"HTTP/1.1 {STATUS.value} {STATUS.phrase}\r\n".encode()
LAST_FIELDS = b"Content-Length: %d\r\n" + REQUEST_ID_HEADER.encode() + b": %b\r\n\r\n"
# A name is a token, and a value has no control characters: anything else is for h11 to judge.
FIELD = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[\t\x20-\x7e]*\r\n"
HEAD = re.compile(rb"POST /predict HTTP/1\.1\r\n(?:" + FIELD + rb")+\r\n")
LENGTH = re.compile(rb"[0-9]{1,9}")
# They change where the body ends, or what becomes of the connection.
UNUSUAL = frozenset(
    (b"content-encoding", b"expect", b"te", b"trailer", b"transfer-encoding", b"upgrade")
)
ID = REQUEST_ID_HEADER.lower().encode()
# The others are for nobody here.
READ = re.compile(
    rb"\r\n(%b):([^\r]*)"
    % b"|".join((b"host", b"content-length", b"connection", ID, *sorted(UNUSUAL))),
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Head:
    """Of a request: `size` bytes, which `body` bytes follow."""

    size: int
    body: int
    request_id: str

    @classmethod
    def read(cls, data: bytes) -> Self | None:
        """None unless `data` begins with a whole head that has nothing unusual in it."""
        found = HEAD.match(data)
        if found is None or found.end() > LIMIT_BYTES:
            return None
        pairs = READ.findall(found[0])
        fields = {name.lower(): value.strip() for name, value in pairs}
        length = fields.get(b"content-length", b"")
        if (
            len(fields) != len(pairs)  # some came twice
            or found[0].count(b"\r\n") > LIMIT_FIELDS + 2  # the first line, and the empty one
            or b"host" not in fields
            or not LENGTH.fullmatch(length)
            or int(length) > LARGEST_BODY
            or fields.get(b"connection", b"keep-alive").lower() != b"keep-alive"
            or not UNUSUAL.isdisjoint(fields)
        ):
            return None
        offered = fields.get(ID, b"").decode()
        request_id = offered if ACCEPTABLE_ID.fullmatch(offered) else new_request_id()
        return cls(found.end(), int(length), request_id)


class Shedding:
    """Of one application."""

    def __init__(self, service: Service, metrics: Metrics, authenticator: Authenticator) -> None:
        self._service, self._metrics, self._authenticator = service, metrics, authenticator
        self._line = FrequentLine(
            __name__,
            "request",
            method="POST",
            route=ROUTE,
            status=int(STATUS),
            code=QueueFull.code,
        )

    def refuse(self, connection: H11Protocol, data: bytes) -> tuple[Head, bytes] | None:
        """The head of the request that `data` begins with, and the response to it; None where the
        request takes the long way."""
        if (error := self._queue_full()) is None:
            return None
        local = connection.server[0] if connection.server else ""
        if not self._authenticator.admits_all(local):
            return None
        began = time.perf_counter()
        if (head := Head.read(data)) is None:
            return None
        response = response_to(head, error, connection.server_state.default_headers)
        ms = round((time.perf_counter() - began) * 1e3, 1)
        self._line.write(ms=ms, request_id=head.request_id)
        self._count()
        return head, response

    @cached_property
    def _count(self) -> Callable[[], None]:
        """Of the metrics; no series of it before the first refusal."""
        trace = RequestTrace()
        trace.failed(QueueFull.code, STATUS)
        return self._metrics.counter(ROUTE, STATUS, trace)

    def _queue_full(self) -> QueueFull | None:
        if self._service.stopping or not self._service.full:
            return None
        try:
            self._service.check()
        except QueueFull as error:
            return error
        except HealerError:
            return None
        return None


def response_to(head: Head, error: QueueFull, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    fields, before, after = rendered(error.retry_after, error.waiting)
    request_id = head.request_id.encode()
    length = len(before) + len(request_id) + len(after)
    return b"".join(
        (
            START,
            *(b"%b: %b\r\n" % pair for pair in headers),
            fields,
            LAST_FIELDS % (length, request_id),
            before,
            request_id,
            after,
        )
    )


@lru_cache(maxsize=1024)
def rendered(retry_after: int, waiting: int) -> tuple[bytes, bytes, bytes]:
    """What all refusals with these figures have in common: fields of the head, and the body before
    the request's id and after it."""
    error = QueueFull(retry_after, waiting)
    own = {**retry_headers(error), "Content-Type": MEDIA_TYPE, **SECURITY_HEADERS}
    fields = "".join(f"{name}: {value}\r\n" for name, value in own.items())
    mark = new_request_id()
    before, _, after = Problem.of(error, mark).model_dump_json().partition(mark)
    return fields.encode(), before.encode(), after.encode()


def shedding_of(app: FastAPI, settings: Settings) -> Shedding | None:
    """None where something about a request is to be known before it may be refused with a 429."""
    state = app.state
    if (
        settings.rate_limit
        or settings.trusted_hosts
        or settings.cors_origins
        or state.tracing is not None
    ):
        return None
    return Shedding(state.service, state.metrics, state.authenticator)
