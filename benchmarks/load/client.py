"""One question, and when its answer came.

A few lines of asyncio and no load tool: none that PyPI, npm or Debian carries sends real forms in
an open loop whose latencies count from when a question was due (Locust's users wait for their
answers, wrk's and hey's connections too). And no HTTP client: whatever it takes at ten times the
capacity, it takes from the cores that the service has.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import cycle
from urllib.parse import urlsplit

from benchmarks.load.tiles import Form

TIMEOUT = 120.0  # seconds
NOTHING = 0  # the status where there was no answer at all
END = b"\r\n\r\n"
STATUS = re.compile(rb"HTTP/1\.1 ([0-9]{3})")
LENGTH = re.compile(rb"\r\ncontent-length: *([0-9]+)", re.IGNORECASE)
AFTER = re.compile(rb"\r\nretry-after: *([0-9]+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Reply:
    """`seconds` are from when it was due; `status` is NOTHING where none came, `why` says so."""

    status: int
    seconds: float
    retry_after: float = 1.0
    why: str = ""


class Connection(asyncio.Protocol):
    """One question after another. The answer to each is the head of its response."""

    def __init__(self) -> None:
        self.open = False
        self._answer: asyncio.Future[bytes] | None = None
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("not a stream")
        self._transport, self.open = transport, True

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False
        self._fail(exc or ConnectionResetError("closed before the answer"))

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(END)
        length = LENGTH.search(head)
        if not found or self._answer is None or self._answer.done():
            return
        if length is None or not STATUS.match(head):
            self._fail(ConnectionError("a response without status or length"))
        elif len(body) >= int(length[1]):
            self._answer.set_result(head)

    async def question(self, request: tuple[bytes, bytes]) -> bytes:
        """Raises OSError."""
        self._received = b""
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.writelines(request)
        return await self._answer

    def close(self) -> None:
        self._transport.close()

    def _fail(self, error: Exception) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)


class Client:
    """As many connections as there are questions at once."""

    def __init__(self, url: str, forms: list[Form]) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._requests: Iterator[tuple[bytes, bytes]] = cycle(
            (head_of(parts.netloc, parts.path, form), form.body) for form in forms
        )
        self._idle: list[Connection] = []

    async def predict(self, due: float | None = None) -> Reply:
        """Of the next tile. `due` is of the event loop's clock; now by default."""
        now = asyncio.get_running_loop().time
        began = now() if due is None else due
        request = next(self._requests)
        try:
            async with asyncio.timeout(TIMEOUT):
                head = await self._answer(request)
        except (OSError, TimeoutError) as error:
            return Reply(NOTHING, now() - began, why=f"{type(error).__name__}: {error}")
        after = AFTER.search(head)
        return Reply(int(head[9:12]), now() - began, float(after[1]) if after else 1.0)

    async def _answer(self, request: tuple[bytes, bytes]) -> bytes:
        connection = await self._connection()
        try:
            head = await connection.question(request)
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        return head

    async def _connection(self) -> Connection:
        while self._idle:
            if (connection := self._idle.pop()).open:
                return connection
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(Connection, self._host, self._port)
        return connection

    def close(self) -> None:
        for connection in self._idle:
            connection.close()


def head_of(host: str, path: str, form: Form) -> bytes:
    lines = (
        f"POST {path} HTTP/1.1",
        f"Host: {host}",
        "Accept: */*",
        f"Content-Type: {form.content_type}",
        f"Content-Length: {len(form.body)}",
    )
    return "\r\n".join(lines).encode() + END


@asynccontextmanager
async def connected(url: str, forms: list[Form]) -> AsyncIterator[Client]:
    client = Client(f"{url}/predict", forms)
    try:
        yield client
    finally:
        client.close()
