"""Refusing at the least cost while the queue is full.

At many times the capacity most requests end in a 429, and each takes processor time from the
answers: HTTP's states, layers of middleware and routing. Here one is refused by the bytes of its
head, before any of that, and its body is dropped as it comes. The response, the log line and the
metrics are the long way's. That way is left to a head with anything unusual in it, and to every
request of a service whose callers are known, limited, traced or pages of another origin.

Responses wait for each other: between two of the model's steps nothing of ours is in the
processor's caches, and that costs more than the work itself, which many do in hardly more time
than one.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, lru_cache
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple, Protocol, Self

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
    import asyncio

    from fastapi import FastAPI
    from uvicorn.server import ServerState

    from healer.auth.authenticator import Authenticator
    from healer.server.service import Service
    from healer.settings.loading import Settings
    from healer.telemetry.metrics import Metrics

ROUTE = "/predict"
PAUSE = 0.02  # seconds that responses wait for others
LONGEST_WAY = 0.05  # seconds from a request's head to its place in the queue, for most
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
    """Of a request: `size` bytes, which `body` bytes follow. `offered` is what its caller would
    have it called."""

    size: int
    body: int
    offered: str = ""

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
        return cls(found.end(), int(length), fields.get(ID, b"").decode())

    def request_id(self) -> str:
        return self.offered if ACCEPTABLE_ID.fullmatch(self.offered) else new_request_id()


class Refusable(Protocol):
    """A connection."""

    loop: asyncio.AbstractEventLoop
    server: tuple[str, int | None] | None
    server_state: ServerState

    def refuse_with(self, response: bytes) -> None:
        """Once the body has come: a client reads it only then."""


class Refused(NamedTuple):
    connection: Refusable
    head: Head
    began: float


class Shedding:
    """Of one application."""

    def __init__(self, service: Service, metrics: Metrics, authenticator: Authenticator) -> None:
        self._service, self._metrics, self._authenticator = service, metrics, authenticator
        self._refused: list[Refused] = []
        self._error: QueueFull | None = None  # of all of these
        # Each costs as much as many refusals, so that none should go all the way for nothing.
        self._coming: dict[Refusable, float] = {}
        self._reservations = 0  # that were seen
        self._line = FrequentLine(
            __name__,
            "request",
            method="POST",
            route=ROUTE,
            status=int(STATUS),
            code=QueueFull.code,
        )

    def refuse(self, connection: Refusable, data: bytes) -> Head | None:
        """The head of the request that `data` begins with, where it is refused: the connection gets
        the response to it soon. None where the request takes the long way."""
        local = connection.server[0] if connection.server else ""
        if not self._authenticator.admits_all(local):
            return None
        if (error := self._queue_full()) is None:
            self._let_through(connection, data)
            return None
        if (head := Head.read(data)) is None:
            return None
        if not self._refused:
            self._error = error
            connection.loop.call_later(PAUSE, self.flush)
        self._refused.append(Refused(connection, head, time.perf_counter()))
        return head

    def flush(self) -> None:
        """Log, count and answer what was refused, in this order: no caller has a response that the
        log does not have."""
        refused, error, self._refused, self._error = self._refused, self._error, [], None
        if error is None:
            return
        ids = [each.head.request_id() for each in refused]
        now = time.perf_counter()
        self._line.write(
            {"ms": round((now - each.began) * 1e3, 1), "request_id": request_id}
            for each, request_id in zip(refused, ids, strict=True)
        )
        self._count(len(refused))
        for each, request_id in zip(refused, ids, strict=True):
            headers = each.connection.server_state.default_headers
            each.connection.refuse_with(response_to(request_id, error, headers))

    @cached_property
    def _count(self) -> Callable[[float], None]:
        """Of the metrics; no series of it before the first refusal."""
        trace = RequestTrace()
        trace.failed(QueueFull.code, STATUS)
        return self._metrics.counter(ROUTE, STATUS, trace)

    def ended(self, connection: Refusable) -> None:
        """What it asked is answered, or its client gone."""
        self._coming.pop(connection, None)

    def _let_through(self, connection: Refusable, data: bytes) -> None:
        head = Head.read(data)
        if head is not None and len(data) >= head.size + head.body:
            self._coming[connection] = time.perf_counter()

    def _on_their_way(self) -> int:
        """Whole requests that were let through and have no place yet."""
        taken = self._service.reservations - self._reservations
        self._reservations += taken
        before = time.perf_counter() - LONGEST_WAY
        for connection, since in list(self._coming.items()):
            if taken <= 0 and since > before:
                break
            del self._coming[connection]
            taken -= 1
        return len(self._coming)

    def _queue_full(self) -> QueueFull | None:
        coming = self._on_their_way()
        if self._service.stopping or not self._service.full_after(coming):
            return None
        if self._error is not None:  # of a moment ago
            return self._error
        try:
            self._service.check(coming)
        except QueueFull as error:
            return error
        except HealerError:
            return None
        return None


def response_to(request_id: str, error: QueueFull, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    fields, before, after = rendered(error.retry_after, error.waiting)
    name = request_id.encode()
    more = b"".join(b"%b: %b\r\n" % pair for pair in headers)
    last = LAST_FIELDS % (len(before) + len(name) + len(after), name)
    return b"".join((START, more, fields, last, before, name, after))


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
