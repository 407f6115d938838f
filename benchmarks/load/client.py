"""One question, and when its answer came.

aiohttp and not a load tool: none that PyPI, npm or Debian carries sends real forms in an open loop
whose latencies count from when a question was due (Locust's users wait for their answers, wrk's
and hey's connections too). And it is cheap, on cores that the service needs.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import cycle

import aiohttp

from benchmarks.load.tiles import Form

TIMEOUT = aiohttp.ClientTimeout(total=120)
NOTHING = 0  # the status where there was no answer at all


@dataclass(frozen=True, slots=True)
class Reply:
    """`seconds` are from when it was due; `status` is NOTHING where none came, `why` says so."""

    status: int
    seconds: float
    retry_after: float = 1.0
    why: str = ""


class Client:
    def __init__(self, session: aiohttp.ClientSession, url: str, forms: list[Form]) -> None:
        self._session, self._url = session, url
        self._forms: Iterator[Form] = cycle(forms)

    async def predict(self, due: float | None = None) -> Reply:
        """Of the next tile. `due` is of the event loop's clock; now by default."""
        now = asyncio.get_running_loop().time
        began = now() if due is None else due
        form = next(self._forms)
        headers = {"Content-Type": form.content_type}
        try:
            async with self._session.post(self._url, data=form.body, headers=headers) as response:
                await response.read()
                after = float(response.headers.get("Retry-After", 1))
                return Reply(response.status, now() - began, after)
        except (aiohttp.ClientError, TimeoutError) as error:
            return Reply(NOTHING, now() - began, why=f"{type(error).__name__}: {error}")


@asynccontextmanager
async def connected(url: str, forms: list[Form]) -> AsyncIterator[Client]:
    """As many connections as there are questions at once."""
    connector = aiohttp.TCPConnector(limit=0)
    async with aiohttp.ClientSession(connector=connector, timeout=TIMEOUT) as session:
        yield Client(session, f"{url}/predict", forms)
