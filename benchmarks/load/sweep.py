"""Batches, workers and replicas of the built-in model, in rounds forwards and backwards.

python -m benchmarks.load.sweep --seconds 3
"""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from benchmarks.load.beside import drive
from benchmarks.load.process import free_port, started
from benchmarks.load.tiles import DATA, Form, paths

# How many workers there are is no setting: the model's threads decide it.
START = (
    "from healer.engines.registry import ENGINES; from healer.engines.spec import Batching; "
    "batching = lambda *_: Batching(workers={workers}); "
    "object.__setattr__(ENGINES['builtin'], 'batching', batching); "
    "from healer.cli import app; app()"
)
CHOICES = [(1, 1, 1), (1, 2, 1), (2, 2, 1), (2, 3, 1), (4, 2, 1), (8, 2, 1), (2, 1, 2)]


def main(
    seconds: Annotated[float, typer.Option(help="Of each.")] = 3,
    rounds: Annotated[int, typer.Option(min=1)] = 2,
    clients: Annotated[int, typer.Option()] = 8,
) -> None:
    forms = [Form.of(path.read_bytes()) for path in paths(DATA, 256)]
    found: dict[tuple[int, int, int], list[str]] = {choice: [] for choice in CHOICES}
    for number in range(rounds):
        for choice in CHOICES if number % 2 == 0 else reversed(CHOICES):
            found[choice].append(measured(*choice, forms, clients, seconds))
    table = Table("tiles at once × workers", "replicas", "answers/s and p99, each round")
    for (tiles, workers, replicas), cells in found.items():
        table.add_row(f"{tiles} × {workers}", str(replicas), "; ".join(cells))
    Console().print(table)


def measured(
    tiles: int, workers: int, replicas: int, forms: list[Form], clients: int, seconds: float
) -> str:
    port = free_port()
    serve = ["serve", "--port", str(port), "--engine", "builtin"]
    command = [sys.executable, "-c", START.format(workers=workers), *serve]
    variables = {"HEALER_BATCH": str(tiles), "HEALER_REPLICAS": str(replicas)}
    with started(command, port, "/ready", variables) as server:
        row = asyncio.run(drive(server, forms, clients, seconds))
    return f"{row.answered:.1f}, {row.p99:.2f} s"


if __name__ == "__main__":
    typer.run(main)
