"""The service beside the model called directly, in turn, as the machine's speed moves.

python -m benchmarks.load.beside --rounds 4 --seconds 5
"""

from __future__ import annotations

import asyncio
from statistics import median
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.load.__main__ import direct
from benchmarks.load.client import connected
from benchmarks.load.measure import Row, capacity
from benchmarks.load.process import Server, healer
from benchmarks.load.tiles import DATA, Form, paths


async def drive(server: Server, forms: list[Form], clients: int, seconds: float) -> Row:
    async with connected(server.url, forms) as client:
        return await capacity("healer", server, client, clients, seconds)


def main(
    rounds: Annotated[int, typer.Option(min=1)] = 4,
    seconds: Annotated[float, typer.Option(help="Of each turn.")] = 5,
    clients: Annotated[int, typer.Option()] = 8,
    tiles: Annotated[int, typer.Option(help="Different ones.")] = 256,
    engine: Annotated[str, typer.Option()] = "builtin",
) -> None:
    forms = [Form.of(path.read_bytes()) for path in paths(DATA, tiles)]
    table = Table("", "direct/s", "service/s", "ratio", "direct, ms", "service, ms", "ratio")
    rates, costs = [], []
    for number in range(1, rounds + 1):
        plain = direct(tiles, seconds, engine)
        with healer(engine) as server:
            row = asyncio.run(drive(server, forms, clients, seconds))
        rate, cost = plain["answered_per_second"], plain["cpu_seconds_each"]
        rates.append(row.answered / rate)
        costs.append(cost / row.cpu_each)
        figures = (rate, row.answered, rates[-1], cost * 1000, row.cpu_each * 1000, costs[-1])
        table.add_row(str(number), *(f"{each:.3g}" for each in figures))
    table.add_row("median", "", "", f"{median(rates):.2f}", "", "", f"{median(costs):.2f}")
    Console().print(table, "Answers a second, and processor time an answer.")


if __name__ == "__main__":
    typer.run(main)
