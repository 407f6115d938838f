"""uvicorn's HTTP/1.1 connection, with an end to its patience, and one of so many at most.

Until a request's head has arrived there is no request, and once an answer is begun nobody waits
for its reader: both are out of an application's sight. Bodies are `serving/patience.py`'s.
"""

from __future__ import annotations

import asyncio
import struct
import sys
from socket import SO_LINGER, SOL_SOCKET
from typing import ClassVar

import h11
import structlog
from uvicorn.protocols.http.h11_impl import H11Protocol

from healer.errors import (
    ClientTooSlow,
    ConnectionsFull,
    HeadTooLarge,
    HealerError,
    HttpUnreadable,
)
from healer.problem import RETRY_AFTER_SECONDS, Problem, new_request_id, status_of
from healer.server.middleware.request_head import LIMIT_BYTES, LIMIT_FIELDS
from healer.server.middleware.security_headers import SECURITY_HEADERS
from healer.server.middleware.slow_client import LEAST_RATE
from healer.server.problems import MEDIA_TYPE, retry_headers
from healer.server.scope import REQUEST_ID_HEADER

log = structlog.get_logger(__name__)


class Connection(H11Protocol):
    patience = 30.0  # seconds
    most = 4000  # connections
    # Those between two requests, or before their first, the longest first: nothing is lost where
    # one of them ends. A dict, because a set has no order.
    _resting: ClassVar[dict[Connection, None]] = {}
    _sender: asyncio.TimerHandle | None = None  # until a head, or what was refused, must be here
    _reader: asyncio.TimerHandle | None = None  # until what we wrote must have been taken

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_sender()
        self._resting[self] = None
        if len(self.connections) > self.most:
            self._make_room()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_sender()
        self._stop_reader()
        self._resting.pop(self, None)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._await_sender()
        if not self.transport.get_write_buffer_size():
            self._stop_reader()
        super().data_received(data)
        if self.conn.their_state is h11.IDLE:
            self._resting[self] = None  # where it was, if it was there
            return
        self._resting.pop(self, None)
        if not self._refused:
            self._stop_sender()

    def _make_room(self) -> None:
        longest = next(iter(self._resting))
        del self._resting[longest]
        if longest is self:
            self._refuse(ConnectionsFull(RETRY_AFTER_SECONDS, self.most))
        else:
            longest.transport.close()

    @property
    def _refused(self) -> bool:
        """A request was answered while its body is still coming, and nobody wants it."""
        return self.conn.our_state is h11.DONE and self.conn.their_state is h11.SEND_BODY

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.conn.our_state is h11.IDLE:
            self._resting[self] = None
        if self._refused:
            self._await_sender()
        if self.transport.get_write_buffer_size():
            self._await_reader()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._await_reader()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stop_reader()

    def _await_sender(self) -> None:
        if self._sender is None:  # not anew with each byte
            self._sender = self.loop.call_later(self.patience, self._sender_overdue)

    def _stop_sender(self) -> None:
        if self._sender is not None:
            self._sender.cancel()
            self._sender = None

    def _sender_overdue(self) -> None:
        self._sender = None
        if self.transport.is_closing():
            return
        if self.conn.their_state is h11.IDLE and self.conn.trailing_data[0]:
            self._refuse(ClientTooSlow(self.patience))
        else:  # nothing was asked, or it was answered
            self.transport.close()

    def _await_reader(self) -> None:
        if self._reader is None:
            left = self.transport.get_write_buffer_size()
            self._reader = self.loop.call_later(self.patience, self._reader_overdue, left)

    def _stop_reader(self) -> None:
        if self._reader is not None:
            self._reader.cancel()
            self._reader = None

    def _reader_overdue(self, left_before: int) -> None:
        self._reader = None
        left = self.transport.get_write_buffer_size()
        if left_before - left >= LEAST_RATE * self.patience:
            self._await_reader()
        elif left:
            log.info("client dropped", reason="it does not read its answer")
            # Else the kernel would go on offering it, out of memory that is ours no more to count.
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


def patient(seconds: float, most: int) -> type[Connection]:
    """For uvicorn, which makes connections itself."""
    own = {"patience": seconds, "most": most, "_resting": {}}
    return type("PatientConnection", (Connection,), own)


BURST = 512  # connections that are accepted in one go, before others can be closed for them
OWN_FILES = 100  # files: the log, the audit log, decoders and what starting another takes


def connections_allowed(connections: int) -> int:
    """So many, or as many as the system allows; the process's own limit is raised to that."""
    if sys.platform == "win32":
        return connections
    import resource

    wanted = connections + BURST + OWN_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return max(1, min(connections, most - BURST - OWN_FILES))
