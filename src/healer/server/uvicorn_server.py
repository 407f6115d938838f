"""uvicorn as Healer runs it: connections of limited time and number, and an end without losses.

Before a request's head is complete, and while a client reads an answer, no ASGI application is
called. Bodies are limited by `middleware/limits.py`. docs/dependencies.md has what it stops.
The server finishes the answers in progress before it stops, and ends when the model hangs.
"""

from __future__ import annotations

import asyncio
import math
import os
import socket
import struct
import sys
from contextlib import suppress
from socket import SO_LINGER, SOL_SOCKET
from typing import TYPE_CHECKING, ClassVar

import h11
import structlog
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from healer.answer import new_request_id
from healer.errors.access import ClientTooSlow, HeadTooLarge, HttpUnreadable
from healer.errors.base import HealerError
from healer.errors.scheduling import ConnectionsFull
from healer.problem import RETRY_AFTER_SECONDS, Problem, status_of
from healer.server.middleware.limits import LIMIT_BYTES, LIMIT_FIELDS, MIN_BYTES_PER_SECOND
from healer.server.middleware.responses import SECURITY_HEADERS
from healer.server.problems import MEDIA_TYPE, retry_headers
from healer.server.scope import REQUEST_ID_HEADER
from healer.server.shedding import Shedding, shedding_of

if TYPE_CHECKING:
    from fastapi import FastAPI

    from healer.server.service import Service
    from healer.settings.loading import Settings

log = structlog.get_logger(__name__)


BURST = 512  # connections that are accepted in one go, before others can be closed for them
OWN_FILES = 100  # files: the log, the audit log, decoders and what starting another takes
GRACE_SECONDS = 30  # for answers in progress
LINGER_SECONDS = 0.5  # for requests that were on their way when the last of those was sent
KEEP_ALIVE_SECONDS = 65  # longer than nginx keeps its own, so that it never uses a closing one
CLOSING_SECONDS = 5  # for connections, after that
NOTIFY_SECONDS = 5.0  # for clients that wait to be notified that the model hangs
HUNG = 70  # EX_SOFTWARE: what a platform's restart policy sees


class Connection(H11Protocol):
    client_timeout = 30.0  # seconds
    limit = 4000  # connections
    # Idle: between two requests, or before the first. The longest idle comes first; closing it
    # loses nothing. A dict, because a set has no order.
    _idle: ClassVar[dict[Connection, None]] = {}
    _send_timer: asyncio.TimerHandle | None = (
        None  # until a head, or a refused body, must be complete
    )
    _read_timer: asyncio.TimerHandle | None = (
        None  # until the client must have read what was written
    )
    shedding: Shedding | None = None
    _shedding_one = False  # a request that was refused by its head
    _unread = 0  # so many bytes of its body are missing
    _response = b""  # to it, once there is one
    _next = b""  # what came after it
    _used = -math.inf  # when the last such response was written, by the event loop's clock

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._start_send_timer()
        self._idle[self] = None
        if len(self.connections) > self.limit:
            self._close_longest_idle()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_send_timer()
        self._stop_read_timer()
        self._idle.pop(self, None)
        if self.shedding:
            self.shedding.ended(self)
        super().connection_lost(exc)
        self._unset_keepalive_if_required()  # uvicorn leaves it where the connection broke

    def data_received(self, data: bytes) -> None:
        if self._read_timer and not self.transport.get_write_buffer_size():
            self._stop_read_timer()
        if self._shedding_one or (self.shedding and self._between_requests):
            data = self._shed(data)
            if not data:
                return
        self._start_send_timer()
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._idle[self] = None  # keeps its position, if it had one
            return
        self._idle.pop(self, None)
        if not self._refused:
            self._stop_send_timer()

    @property
    def _between_requests(self) -> bool:
        ours, theirs = self.conn.our_state, self.conn.their_state
        return ours is h11.IDLE and theirs is h11.IDLE and not self.conn.trailing_data[0]

    def _shed(self, data: bytes) -> bytes:
        """What is left of `data` once the requests that it begins with are refused, if they are."""
        while data and not self.transport.is_closing():
            size = 0
            if self._awaits_response:
                self._next += data
                self.flow.pause_reading()
                return b""
            if not self._shedding_one:
                head = self.shedding.refuse(self, data) if self.shedding else None
                if head is None:
                    return data
                self._shedding_one, self._unread, size = True, head.body, head.size
                self._idle.pop(self, None)
            came = min(self._unread, len(data) - size)
            self._unread, data = self._unread - came, data[size + came :]
            if self._unread:
                self._start_send_timer()
            else:
                self._stop_send_timer()
                self._answer_refused()
        return data

    @property
    def _awaits_response(self) -> bool:
        return self._shedding_one and not self._unread

    def refuse_with(self, response: bytes) -> None:
        self._response = response
        if not self._unread and not self.transport.is_closing():
            self._answer_refused()

    def _answer_refused(self) -> None:
        """If there is a response already."""
        if not self._response:
            return
        self.transport.write(self._response)
        self._response, self._shedding_one = b"", False
        self.server_state.total_requests += 1
        self._used = self.loop.time()
        if self.timeout_keep_alive_task is None:
            self._start_keep_alive(self.timeout_keep_alive)
        self._completed()
        if self._next:
            data, self._next = self._next, b""
            self.flow.resume_reading()
            self.data_received(data)

    def eof_received(self) -> None:
        self._answer_awaited()  # asyncio closes the connection now
        super().eof_received()

    def shutdown(self) -> None:
        self._answer_awaited()
        super().shutdown()

    def _answer_awaited(self) -> None:
        if self.shedding and self._awaits_response:
            self.shedding.flush()

    def _start_keep_alive(self, seconds: float) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(
            seconds, self.timeout_keep_alive_handler
        )

    def timeout_keep_alive_handler(self) -> None:
        """A refusal does not restart the timer, so that it need not set one."""
        idle = 0.0 if self._shedding_one else self.loop.time() - self._used
        if idle < self.timeout_keep_alive:
            self._start_keep_alive(self.timeout_keep_alive - idle)
        else:
            super().timeout_keep_alive_handler()

    def _close_longest_idle(self) -> None:
        longest = next(iter(self._idle))
        del self._idle[longest]
        if longest is self:
            self._refuse(ConnectionsFull(RETRY_AFTER_SECONDS, self.limit))
        else:
            longest.transport.close()

    @property
    def _refused(self) -> bool:
        """A request was answered while its body, which nothing reads, is still coming."""
        return self.conn.our_state is h11.DONE and self.conn.their_state is h11.SEND_BODY

    def on_response_complete(self) -> None:
        if self.shedding:
            self.shedding.ended(self)
        super().on_response_complete()
        self._completed()

    def _completed(self) -> None:
        if self.conn.our_state is h11.IDLE:
            self._idle[self] = None
        if self._refused:
            self._start_send_timer()
        if self.transport.get_write_buffer_size():
            self._start_read_timer()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._start_read_timer()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_read_timer()

    def _start_send_timer(self) -> None:
        if self._send_timer is None:  # not restarted by each byte
            self._send_timer = self.loop.call_later(self.client_timeout, self._send_timed_out)

    def _stop_send_timer(self) -> None:
        if self._send_timer is not None:
            self._send_timer.cancel()
            self._send_timer = None

    def _send_timed_out(self) -> None:
        self._send_timer = None
        if self.transport.is_closing():
            return
        if self._shedding_one and self.shedding:
            self.shedding.flush()
            self.transport.write(self._response)
            self.transport.close()
        elif self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:
            self._refuse(ClientTooSlow(self.client_timeout))
        else:  # no request, or one that was answered
            self.transport.close()

    def _start_read_timer(self) -> None:
        if self._read_timer is None:
            left = self.transport.get_write_buffer_size()
            self._read_timer = self.loop.call_later(self.client_timeout, self._read_timed_out, left)

    def _stop_read_timer(self) -> None:
        if self._read_timer is not None:
            self._read_timer.cancel()
            self._read_timer = None

    def _read_timed_out(self, unread_before: int) -> None:
        self._read_timer = None
        left = self.transport.get_write_buffer_size()
        if unread_before - left >= MIN_BYTES_PER_SECOND * self.client_timeout:
            self._start_read_timer()
        elif left:
            log.info("client dropped", reason="does not read its answer")
            # Otherwise the kernel would keep the unsent bytes, in memory that nobody counts.
            linger = struct.pack("ii", 1, 0)
            self.transport.get_extra_info("socket").setsockopt(SOL_SOCKET, SO_LINGER, linger)
            self.transport.abort()

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn's words, not ours
        if self.cycle is not None:
            self.cycle.disconnected = True
        hint = getattr(sys.exc_info()[1], "error_status_hint", 400)
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.close()  # in the middle of an answer
        elif hint == 431:
            self._refuse(HeadTooLarge(LIMIT_BYTES, LIMIT_FIELDS))
        else:
            self._refuse(HttpUnreadable())

    def _refuse(self, error: HealerError) -> None:
        request_id, status = new_request_id(), status_of(type(error))
        log.info("refused", code=error.code, status=int(status), request_id=request_id)
        body = Problem.of(error, request_id).model_dump_json().encode()
        headers = {
            **SECURITY_HEADERS,
            **retry_headers(error),
            "Content-Type": MEDIA_TYPE,
            "Content-Length": str(len(body)),
            "Connection": "close",
            REQUEST_ID_HEADER: request_id,
        }
        start = h11.Response(
            status_code=status, headers=list(headers.items()), reason=status.phrase.encode()
        )
        for event in (start, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()


def limited_connection(
    client_timeout: float, limit: int, shedding: Shedding | None = None
) -> type[Connection]:
    """For uvicorn, which instantiates connections itself."""
    own: dict[str, object] = {
        "client_timeout": client_timeout,
        "limit": limit,
        "shedding": shedding,
        "_idle": {},
    }
    return type("LimitedConnection", (Connection,), own)


def connections_allowed(connections: int) -> int:
    """`connections`, or fewer where files are fewer; raises the process's own limit of files."""
    if sys.platform == "win32":
        return connections
    import resource

    needed = connections + BURST + OWN_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return max(1, min(connections, most - BURST - OWN_FILES))


def config_of(app: FastAPI, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        server_header=False,
        http=limited_connection(
            settings.client_timeout,
            connections_allowed(settings.connections),
            shedding_of(app, settings),
        ),
        backlog=BURST,
        ws="none",
        h11_max_incomplete_event_size=LIMIT_BYTES,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
        timeout_graceful_shutdown=CLOSING_SECONDS,
    )


class DrainingServer(uvicorn.Server):
    """On SIGTERM it goes on listening, and refusing, until the requests in flight are answered."""

    def __init__(self, config: uvicorn.Config, service: Service) -> None:
        super().__init__(config)
        self._service = service

    async def main_loop(self) -> None:
        watching = asyncio.create_task(self._end_if_hung())
        await super().main_loop()
        watching.cancel()

    async def _end_if_hung(self) -> None:
        while not self._service.hung:  # noqa: ASYNC110 - the queue knows no server to notify
            await asyncio.sleep(0.5)
        write_to_stderr(
            "The model answers no more. Healer ends, so that whatever runs it can restart it.\n"
        )
        self._service.begin_shutdown()
        with suppress(TimeoutError):
            async with asyncio.timeout(NOTIFY_SECONDS):
                await self._drained()
        await asyncio.sleep(LINGER_SECONDS)
        os._exit(HUNG)  # a thread that hangs would hold any other way out

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self._service.begin_shutdown()
        with suppress(TimeoutError):
            async with asyncio.timeout(GRACE_SECONDS):
                await self._drained()
        self._service.abandon_jobs()
        await asyncio.sleep(LINGER_SECONDS)
        await super().shutdown(sockets)
        if self._service.stuck:
            os._exit(0)  # process 1 of a container would wait for it, whatever the signal

    async def _drained(self) -> None:
        # A signal handler sets force_exit, so there is no event to wait for.
        while self._service.in_flight and not self.force_exit:  # noqa: ASYNC110
            await asyncio.sleep(0.05)


def write_to_stderr(text: str) -> None:
    with suppress(OSError):  # a disk that is full must not keep us from serving, nor from ending
        sys.stderr.write(text)
        sys.stderr.flush()
