"""A load put on a server, and what came of it."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from statistics import quantiles

import psutil

from benchmarks.load.client import Client, Reply
from benchmarks.load.loops import closed, open_
from benchmarks.load.process import Server

REFUSED = (429, 503)


@dataclass(frozen=True, slots=True)
class Row:
    """Rates are a second, latencies (of answers alone) and processor time in seconds, `peak_rss`
    in bytes with all processes. `other` is whatever is no answer, 429 or 503."""

    server: str
    load: str
    offered: float
    answered: float
    full: int
    unready: int
    other: int
    why: str
    p50: float
    p95: float
    p99: float
    cpu_each: float
    client_cores: float
    peak_rss: int


async def measure(
    name: str,
    server: Server,
    load: str,
    seconds: float,
    work: Callable[[], Awaitable[list[Reply]]],
) -> Row:
    """`work` sends requests for so many seconds, and then waits for what is still to come."""
    own = psutil.Process()
    server.peak()
    before, mine, began = server.use().cpu, sum(own.cpu_times()[:2]), time.perf_counter()
    replies = await work()
    took = time.perf_counter() - began
    used, ours = server.use().cpu - before, sum(own.cpu_times()[:2]) - mine
    codes = Counter(reply.status for reply in replies)
    answers = [reply.seconds for reply in replies if reply.status == 200]
    odd = [reply for reply in replies if reply.status not in (200, *REFUSED)]
    return Row(
        server=name,
        load=load,
        offered=len(replies) / seconds,
        answered=len(answers) / took,
        full=codes[429],
        unready=codes[503],
        other=len(odd),
        why=", ".join(sorted({each.why or str(each.status) for each in odd})[:3]),
        **percentiles(answers),
        cpu_each=used / max(1, len(answers)),
        client_cores=ours / took,
        peak_rss=server.peak(),
    )


def percentiles(seconds: list[float]) -> dict[str, float]:
    if len(seconds) < 2:
        return dict.fromkeys(("p50", "p95", "p99"), seconds[0] if seconds else 0.0)
    cuts = quantiles(seconds, n=100, method="inclusive")
    return {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98]}


async def warm(client: Client, count: int, seconds: float) -> None:
    """At most so many questions, or so long. Raises SystemExit where there is no answer at all."""
    until = time.perf_counter() + seconds
    replies = [await client.predict()]
    while len(replies) < count and time.perf_counter() < until:
        replies.append(await client.predict())
    if not any(reply.status == 200 for reply in replies):
        last = replies[-1]
        raise SystemExit(f"The server answers nothing: {last.status or last.why}")


async def capacity(name: str, server: Server, client: Client, clients: int, seconds: float) -> Row:
    """What a closed loop of few clients gets."""
    await warm(client, 8, seconds)
    label = f"capacity, {clients} clients"
    return await measure(name, server, label, seconds, lambda: closed(client, clients, seconds))


async def loads(
    name: str,
    server: Server,
    client: Client,
    *,
    rate: float,
    clients: int,
    times: list[float],
    seconds: float,
) -> list[Row]:
    """Closed and open loops at so many times `clients`, and `rate` a second."""
    rows = []
    for factor in times:
        many = max(1, round(clients * factor))
        label = f"closed {factor:g}×, {many} clients"
        work = partial(closed, client, many, seconds)
        rows.append(await measure(name, server, label, seconds, work))
    for factor in times:
        work = partial(open_, client, rate * factor, seconds)
        rows.append(await measure(name, server, f"open {factor:g}×", seconds, work))
    return rows
