"""One question, and when its answer came.

A few lines of asyncio and no load tool: none that PyPI, npm or Debian carries sends real forms in
an open loop whose latencies count from when a question was due (Locust's users wait for their
answers, wrk's and hey's connections too). And no HTTP client, nor a task for each question:
whatever it takes at ten times the capacity, it takes from the cores that the service has.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from urllib.parse import urlsplit

from benchmarks.load.tiles import Form

TIMEOUT = 120.0  # seconds
BUFFER_BYTES = 64 * 1024
LOOK_SECONDS = 1.0  # between two looks for questions that have waited so long
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

    @classmethod
    def of(cls, head: bytes, seconds: float) -> Reply:
        after = AFTER.search(head)
        return cls(int(head[9:12]), seconds, float(after[1]) if after else 1.0)


@dataclass(frozen=True, slots=True)
class Question:
    """`answered` is called once, with what came of it."""

    due: float
    sent: float
    request: bytes
    answered: Callable[[Reply], None]

    def failed(self, error: Exception) -> None:
        seconds = asyncio.get_running_loop().time() - self.due
        self.answered(Reply(NOTHING, seconds, why=f"{type(error).__name__}: {error}"))


class Connection(asyncio.BufferedProtocol):
    """One question after another; `idle` is called with it after each answer. All read into one
    buffer, as asyncio's own would be allocated for each answer and given back to the system."""

    _buffer = bytearray(BUFFER_BYTES)

    def __init__(self, idle: Callable[[Connection], None]) -> None:
        self.open = False
        self.question: Question | None = None
        self._idle, self._received = idle, b""

    def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002 - asyncio's
        return self._buffer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError("not a stream")
        self._transport, self.open = transport, True

    def connection_lost(self, exc: Exception | None) -> None:
        self.open = False
        self.fail(exc or ConnectionResetError("closed before the answer"))

    def buffer_updated(self, nbytes: int) -> None:
        self._received += self._buffer[:nbytes]
        head, found, body = self._received.partition(END)
        if not found or self.question is None:
            return
        length = LENGTH.search(head)
        if length is None or not STATUS.match(head):
            self.fail(ConnectionError("a response without status or length"))
        elif len(body) >= int(length[1]):
            question, self.question = self.question, None
            self._idle(self)
            seconds = asyncio.get_running_loop().time() - question.due
            question.answered(Reply.of(head, seconds))

    def ask(self, question: Question) -> None:
        self._received, self.question = b"", question
        self._transport.write(question.request)

    def fail(self, error: Exception) -> None:
        """With the question that it has, if it has one."""
        question, self.question = self.question, None
        if question is not None:
            self.close()
            question.failed(error)

    def close(self) -> None:
        self._transport.close()


class Client:
    """As many connections as there are questions at once."""

    def __init__(self, url: str, forms: list[Form]) -> None:
        parts = urlsplit(url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._requests: Iterator[bytes] = cycle(
            [head_of(parts.netloc, parts.path, form) + form.body for form in forms]
        )
        self._idle: list[Connection] = []
        self._connections: set[Connection] = set()
        self._opening: set[asyncio.Task[None]] = set()

    def ask(self, due: float, answered: Callable[[Reply], None]) -> None:
        """The next tile's question. `due` is of the event loop's clock."""
        now = asyncio.get_running_loop().time()
        question = Question(due, now, next(self._requests), answered)
        while self._idle:
            if (connection := self._idle.pop()).open:
                connection.ask(question)
                return
        opening = asyncio.create_task(self._open(question))
        self._opening.add(opening)
        opening.add_done_callback(self._opening.discard)

    async def predict(self) -> Reply:
        """Of the next tile, due now."""
        loop = asyncio.get_running_loop()
        reply: asyncio.Future[Reply] = loop.create_future()
        self.ask(loop.time(), partial(settle, reply))
        return await reply

    async def look_for_late(self) -> None:
        """For ever."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            before = asyncio.get_running_loop().time() - TIMEOUT
            self._connections = {each for each in self._connections if each.open}
            for each in self._connections:
                if each.question is not None and each.question.sent < before:
                    each.fail(TimeoutError())

    async def _open(self, question: Question) -> None:
        loop = asyncio.get_running_loop()
        new = partial(Connection, self._idle.append)
        try:
            async with asyncio.timeout(TIMEOUT):
                _, connection = await loop.create_connection(new, self._host, self._port)
        except (OSError, TimeoutError) as error:
            question.failed(error)
            return
        self._connections.add(connection)
        connection.ask(question)

    def close(self) -> None:
        for connection in self._connections:
            connection.close()


def settle(reply: asyncio.Future[Reply], value: Reply) -> None:
    if not reply.done():  # its caller may be gone
        reply.set_result(value)


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
    looking = asyncio.create_task(client.look_for_late())
    try:
        yield client
    finally:
        looking.cancel()
        client.close()
