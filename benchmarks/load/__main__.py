"""Load on `healer serve`, beside the model called directly and behind LitServe.

    python -m benchmarks.load --seconds 10
    python -m benchmarks.load --litserve ../litserve/bin/python --replicas 1,2

Exits with 1 where a question of the service's got no answer, 429 or 503.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.idle import used_by_others
from benchmarks.load.client import connected
from benchmarks.load.measure import Row, capacity, loads
from benchmarks.load.process import Server, free_port, healer, problems_in, started
from benchmarks.load.report import Result, show
from benchmarks.load.tiles import DATA, REPOSITORY, Form, paths
from healer.hardware import cores, processor

console = Console(soft_wrap=True, highlight=False, width=160)


def direct(tiles: int, seconds: float, engine: str) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.load.direct", str(tiles), str(seconds), engine]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True, check=True)  # noqa: S603
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


def litserve(python: Path, engine: str) -> AbstractContextManager[Server]:
    port = free_port()
    command = [str(python), "-m", "benchmarks.load.lit", str(port), str(cores()), engine]
    return started(command, port, "/health", {"OMP_NUM_THREADS": "1"})


@dataclass(slots=True)
class Plan:
    """The loads, the same for each server: `rate` is what the first could answer."""

    clients: int
    seconds: float
    times: list[float]
    rate: float = 0.0

    async def put_on(self, name: str, server: Server, forms: list[Form]) -> list[Row]:
        async with connected(server.url, forms) as client:
            least = await capacity(name, server, client, self.clients, self.seconds)
            self.rate = self.rate or least.answered
            rest = await loads(
                name,
                server,
                client,
                rate=self.rate,
                clients=self.clients,
                times=self.times,
                seconds=self.seconds,
            )
        return [least, *rest]


def main(
    seconds: Annotated[float, typer.Option(help="Of each load.")] = 10,
    engine: Annotated[str, typer.Option()] = "builtin",
    clients: Annotated[int, typer.Option(help="That measure the capacity.")] = 6,
    times: Annotated[str, typer.Option(help="Loads, in capacities.")] = "0.5,1,2,10",
    tiles: Annotated[int, typer.Option(help="Different ones.")] = 256,
    replicas: Annotated[str, typer.Option(help="HEALER_REPLICAS, each measured.")] = "1",
    litserve_python: Annotated[
        Path | None, typer.Option("--litserve", help="A Python that has litserve.")
    ] = None,
    output: Annotated[Path, typer.Option()] = Path("runs/load"),
) -> None:
    plan = Plan(clients, seconds, [float(each) for each in times.split(",") if each])
    pictures = [tile.read_bytes() for tile in paths(DATA, tiles)]
    result = Result(engine, processor()[0], cores(), used_by_others())
    before = direct(tiles, seconds, engine)
    sound = True
    for count in replicas.split(","):
        name = "healer" if count == "1" else f"healer, {count} replicas"
        with healer(engine, HEALER_REPLICAS=count) as server:
            sent = [Form.of(each) for each in pictures]
            result.rows += asyncio.run(plan.put_on(name, server, sent))
            for line in problems_in(server.log):
                sound = False
                console.print(f"{name} logged: {line}", markup=False)
    if litserve_python is not None:
        with litserve(litserve_python, engine) as server:
            sent = [Form.in_json(each) for each in pictures]
            result.rows += asyncio.run(plan.put_on("litserve", server, sent))
    after = direct(tiles, seconds, engine)
    result.direct = {name: fmean((before[name], after[name])) for name in before}
    show(result, console)
    result.save(output)
    raise typer.Exit(0 if sound and not result.lost() else 1)


if __name__ == "__main__":
    typer.run(main)
