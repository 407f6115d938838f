"""Two ways to put load on a server."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator

from benchmarks.load.client import Client, Reply

SEED = 0


async def closed(client: Client, clients: int, seconds: float) -> list[Reply]:
    """`clients` that send the next tile once they are answered, or after Retry-After."""
    replies: list[Reply] = []
    end = asyncio.get_running_loop().time() + seconds

    async def one() -> None:
        now = asyncio.get_running_loop().time
        while now() < end:
            reply = await client.predict()
            replies.append(reply)
            if reply.status in (429, 503):
                await asyncio.sleep(max(0.0, min(reply.retry_after, end - now())))

    async with asyncio.TaskGroup() as group:
        for _ in range(clients):
            group.create_task(one())
    return replies


async def open_(client: Client, rate: float, seconds: float) -> list[Reply]:
    """Arrivals at random, `rate` a second on average, whether or not others wait."""
    replies: list[Reply] = []
    all_answered = asyncio.Event()
    now = asyncio.get_running_loop().time
    times = list(arrivals(now(), rate, seconds))

    def answered(reply: Reply) -> None:
        replies.append(reply)
        if len(replies) == len(times):
            all_answered.set()

    for due in times:
        await asyncio.sleep(due - now())
        client.ask(due, answered)
    if times:
        await all_answered.wait()
    return replies


def arrivals(begin: float, rate: float, seconds: float) -> Iterator[float]:
    """A Poisson process's, the same every time."""
    chance = random.Random(SEED)  # noqa: S311 - nothing secret
    due = begin + chance.expovariate(rate)
    while due < begin + seconds:
        yield due
        due += chance.expovariate(rate)
