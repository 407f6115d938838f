"""Ten minutes of everything at once: `python -m benchmarks.soak --minutes 10`.

Good tiles, plain and as events, refused pictures, damaged files, slow clients, and some that go
away in mid-upload, in the queue and in mid-stream: half as much again as the service can answer.
Prints what became of them, and memory, files, threads and processes at start and end. Exits with 1
on a leak past the tolerances below, or an outcome other than an answer, a 4xx or a 503.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import linear_regression, median
from typing import Annotated, Any

import aiohttp
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.load.client import connected
from benchmarks.load.loops import SEED, arrivals
from benchmarks.load.measure import capacity
from benchmarks.load.process import Server, Use, healer, problems_in
from benchmarks.load.report import MIB
from benchmarks.load.tiles import DATA, Form, paths
from benchmarks.visitors import ANSWER, LEFT, Visitors, visiting

OVERLOAD = 1.5
CLIENTS = 6
SAMPLES = 200
SETTLED = 0.1  # of the time: what the service takes once, it has taken by then
QUIET_SECONDS = 3.0
MEMORY_TOLERANCE = 48 * MIB
FILES_TOLERANCE = 4
THREADS_TOLERANCE = 4  # asyncio's pool for blocking calls fills up as it is needed
FINE = re.compile(rf"{ANSWER}|{LEFT}|4\d\d .+|503 .+")

console = Console(soft_wrap=True, highlight=False)


@dataclass(slots=True)
class Soak:
    """`samples` are (seconds since the start, bytes of memory) of the service's processes."""

    rate: float
    seconds: float
    outcomes: dict[str, Counter[str]] = field(default_factory=dict)
    samples: list[tuple[float, int]] = field(default_factory=list)
    start: Use | None = None
    end: Use | None = None

    @property
    def settled(self) -> list[tuple[float, int]]:
        return [each for each in self.samples if each[0] >= self.seconds * SETTLED]

    @property
    def slope(self) -> float:
        """Bytes a minute, once settled."""
        times, sizes = zip(*self.settled, strict=True)
        return 60 * linear_regression(times, sizes).slope

    @property
    def growth(self) -> float:
        """Bytes, from the first tenth of what was settled to the last, by medians."""
        sizes = [size for _, size in self.settled]
        tenth = max(1, len(sizes) // 10)
        return median(sizes[-tenth:]) - median(sizes[:tenth])

    def as_json(self) -> dict[str, Any]:
        return {
            "rate": self.rate,
            "seconds": self.seconds,
            "outcomes": self.outcomes,
            "start": asdict(self.start) if self.start else None,
            "end": asdict(self.end) if self.end else None,
            "growth": self.growth,
            "slope": self.slope,
            "samples": self.samples,
        }

    def faults(self) -> list[str]:
        if self.start is None or self.end is None:
            return ["it did not end"]
        codes_seen = Counter(code for codes in self.outcomes.values() for code in codes.elements())
        found = [f"{n} × {code}" for code, n in codes_seen.items() if not FINE.fullmatch(code)]
        if self.growth > MEMORY_TOLERANCE:
            found.append(f"memory grew by {self.growth / MIB:.0f} MiB")
        if self.end.files > self.start.files + FILES_TOLERANCE:
            found.append(f"{self.end.files - self.start.files} more open files")
        if self.end.threads > self.start.threads + THREADS_TOLERANCE:
            found.append(f"{self.end.threads - self.start.threads} more threads")
        if self.end.processes != self.start.processes:
            found.append(f"{self.end.processes} processes, not {self.start.processes}")
        return found


async def soak(
    server: Server, tiles: Sequence[bytes], seconds: float, overload: float = OVERLOAD
) -> Soak:
    """`overload` times the capacity that it measures first."""
    async with connected(server.url, [Form.of(tile) for tile in tiles]) as client:
        least = await capacity("healer", server, client, CLIENTS, min(10, seconds))
    done = Soak(least.answered * overload, seconds)
    await asyncio.sleep(min(QUIET_SECONDS, seconds))
    done.start = server.use(files=True)
    sampling = asyncio.create_task(sample(server, done))
    async with visiting(server.url, list(tiles)) as visitors:
        await visit(visitors, done)
    sampling.cancel()
    await asyncio.sleep(QUIET_SECONDS)
    done.end = server.use(files=True)
    return done


async def visit(visitors: Visitors, done: Soak) -> None:
    kinds = visitors.kinds()
    names, weights = list(kinds), [weight for weight, _ in kinds.values()]
    chance = random.Random(SEED)  # noqa: S311 - nothing secret
    now = asyncio.get_running_loop().time

    async def one(kind: str) -> None:
        try:
            outcome = await kinds[kind][1]()
        except (aiohttp.ClientError, OSError, ValueError, KeyError) as error:
            outcome = f"{type(error).__name__}: {error}"
        done.outcomes.setdefault(kind, Counter())[outcome] += 1

    async with asyncio.TaskGroup() as group:
        for due in arrivals(now(), done.rate, done.seconds):
            await asyncio.sleep(due - now())
            group.create_task(one(chance.choices(names, weights)[0]))


async def sample(server: Server, done: Soak) -> None:
    now = asyncio.get_running_loop().time
    began = now()
    while True:
        done.samples.append((now() - began, server.use().rss))
        await asyncio.sleep(done.seconds / SAMPLES)


def show(done: Soak) -> None:
    table = Table(
        title=f"{done.seconds:.0f} s, {done.rate:.1f} requests a second", title_justify="left"
    )
    for head in ("Client", "Requests", "Answered", "Left", "Refused with"):
        table.add_column(head, justify="left" if head in ("Client", "Refused with") else "right")
    for kind, codes in sorted(done.outcomes.items()):
        other_codes = [
            f"{n:,} × {code}" for code, n in codes.most_common() if code not in (ANSWER, LEFT)
        ]
        cells = (codes.total(), codes[ANSWER], codes[LEFT])
        table.add_row(kind, *(f"{each:,}" for each in cells), ", ".join(other_codes))
    console.print(table)
    use = Table("", "Start", "End")
    for name in ("rss", "files", "threads", "processes"):
        unit = MIB if name == "rss" else 1
        use.add_row(name, *(f"{getattr(at, name) // unit:,}" for at in (done.start, done.end)))
    console.print(use)
    most = max(size for _, size in done.samples)
    console.print(
        f"Memory, MiB: {done.samples[0][1] / MIB:.0f} at first, {most / MIB:.0f} at most; once "
        f"settled {done.growth / MIB:+.1f} in all, {done.slope / MIB:+.2f} a minute."
    )


def main(
    minutes: Annotated[float, typer.Option()] = 10,
    engine: Annotated[str, typer.Option()] = "builtin",
    tiles: Annotated[int, typer.Option(help="Different ones.")] = 256,
    overload: Annotated[float, typer.Option(help="Requests, in capacities.")] = OVERLOAD,
    output: Annotated[Path, typer.Option()] = Path("runs/load"),
) -> None:
    pictures = [tile.read_bytes() for tile in paths(DATA, tiles)]
    with healer(engine) as server:
        done = asyncio.run(soak(server, pictures, minutes * 60, overload))
        faults = done.faults() + problems_in(server.log)
    show(done)
    output.mkdir(parents=True, exist_ok=True)
    text = json.dumps(done.as_json() | {"faults": faults}, indent=2)
    (output / "soak.json").write_text(text + "\n", encoding="utf-8")
    for fault in faults:
        console.print(f"Not as it should be: {fault}", markup=False)
    raise typer.Exit(1 if faults else 0)


if __name__ == "__main__":
    typer.run(main)
