"""The clients of a soak, well-behaved and not: each says what became of its question."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from io import BytesIO
from itertools import cycle
from urllib.parse import urlsplit

import aiohttp
from PIL import Image

from benchmarks.load.client import TIMEOUT
from benchmarks.load.tiles import Form

ANSWER, LEFT = "answer", "left"
PIECES = 10
PAUSE = 0.2  # seconds between two pieces of a slow upload
EVENTS = {"Accept": "text/event-stream"}


@dataclass(frozen=True, slots=True)
class Visitors:
    session: aiohttp.ClientSession
    url: str
    tiles: list[bytes]

    def kinds(self) -> dict[str, tuple[int, Callable[[], Awaitable[str]]]]:
        """By name: how many of a hundred, and what it does."""
        forms = cycle([Form.of(tile) for tile in self.tiles])
        cut = cycle([Form.of(tile[: len(tile) // 2]) for tile in self.tiles])
        blank = Form.of(white())
        return {
            "plain": (50, lambda: self.plain(next(forms))),
            "events": (20, lambda: self.events(next(forms))),
            "no tissue": (5, lambda: self.plain(blank)),
            "damaged": (5, lambda: self.plain(next(cut))),
            "slow upload": (5, lambda: self.slow(next(forms))),
            "gone in mid-upload": (5, lambda: self.left_in_upload(next(forms))),
            "gone in queue": (5, lambda: self.left_in_queue(next(forms))),
            "gone in mid-stream": (5, lambda: self.left_in_stream(next(forms))),
        }

    async def plain(self, form: Form) -> str:
        async with self._post(form) as response:
            return outcome(response.status, await response.text())

    async def events(self, form: Form) -> str:
        async with self._post(form, **EVENTS) as response:
            output = await response.text()
        return last_event(output) if response.status == 200 else outcome(response.status, output)

    async def slow(self, form: Form) -> str:
        """A piece at a time, over two seconds."""

        async def pieces() -> AsyncIterator[bytes]:
            size = len(form.body) // PIECES + 1
            for start in range(0, len(form.body), size):
                yield form.body[start : start + size]
                await asyncio.sleep(PAUSE)

        headers = {"Content-Type": form.content_type}
        async with self.session.post(self.url, data=pieces(), headers=headers) as response:
            return outcome(response.status, await response.text())

    async def left_in_upload(self, form: Form) -> str:
        async with self._sent(form.body[: len(form.body) // 2], form):
            await asyncio.sleep(PAUSE)
        return LEFT

    async def left_in_queue(self, form: Form) -> str:
        async with self._sent(form.body, form):
            await asyncio.sleep(PAUSE / 10)
        return LEFT

    async def left_in_stream(self, form: Form) -> str:
        async with self._post(form, **EVENTS) as response:
            if response.status != 200:
                return outcome(response.status, await response.text())
            await response.content.readany()
            response.close()
        return LEFT

    def _post(self, form: Form, **headers: str) -> aiohttp.client._RequestContextManager:
        headers = {"Content-Type": form.content_type, **headers}
        return self.session.post(self.url, data=form.body, headers=headers)

    @asynccontextmanager
    async def _sent(self, part: bytes, form: Form) -> AsyncIterator[None]:
        """So much of a request, on a connection that is then cut."""
        at = urlsplit(self.url)
        _, writer = await asyncio.open_connection(at.hostname, at.port)
        head = (
            f"POST {at.path} HTTP/1.1\r\nHost: {at.netloc}\r\n"
            f"Content-Type: {form.content_type}\r\nContent-Length: {len(form.body)}\r\n\r\n"
        )
        try:
            writer.write(head.encode() + part)
            with suppress(ConnectionError):
                await writer.drain()
            yield
        finally:
            writer.transport.abort()


@asynccontextmanager
async def visiting(url: str, tiles: list[bytes]) -> AsyncIterator[Visitors]:
    connector = aiohttp.TCPConnector(limit=0)
    timeout = aiohttp.ClientTimeout(total=TIMEOUT)
    async with aiohttp.ClientSession(connector=connector, timeout=timeout) as session:
        yield Visitors(session, f"{url}/predict", tiles)


def white() -> bytes:
    file = BytesIO()
    Image.new("RGB", (256, 256), "white").save(file, "PNG")
    return file.getvalue()


def outcome(status: int, body: str) -> str:
    """ANSWER, or the status and code of a problem document."""
    if status == 200:
        return ANSWER if json.loads(body)["verdict"] else "no verdict"
    return f"{status} {json.loads(body)['code']}"


def last_event(stream: str) -> str:
    """What a stream of events came to; a problem is worth its status."""
    event, _, data = stream.strip().replace("\r\n", "\n").split("\n\n")[-1].partition("\ndata: ")
    if event == "event: answer":
        return outcome(200, data)
    if event == "event: problem":
        return outcome(json.loads(data)["status"], data)
    return f"a stream that ends with {event!r}"
