"""Table, JSON and chart."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.load.measure import Row

MIB = 1024**2
HEADS = (
    "Server", "Load", "Offered/s", "Answered/s", "429", "503", "Other",
    "p50, ms", "p95, ms", "p99, ms", "CPU/answer, ms", "Client, cores", "Kept", "of its cores",
    "Peak, MiB",
)  # fmt: skip


@dataclass(slots=True)
class Result:
    """`direct` is what benchmarks.load.direct said before and after, on average; `others` are cores
    that other programs used before it began."""

    engine: str
    machine: str
    cores: int
    others: float
    direct: dict[str, float] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)

    def ratios(self) -> dict[str, dict[str, float]]:
        """Of each server's capacity to the model called directly: rate, and work in a second of
        processor time."""
        rate, cpu = self.direct["answered_per_second"], self.direct["cpu_seconds_each"]
        return {
            row.server: {"rate": row.answered / rate, "work": cpu / row.cpu_each}
            for row in self.rows
            if row.load.startswith("capacity")
        }

    def kept(self, row: Row) -> tuple[float, float]:
        """Of its server's capacity: the share of answers, and of answers by cores that the client
        left."""
        least = next(
            at for at in self.rows if at.server == row.server and at.load.startswith("capacity")
        )
        share = row.answered / least.answered if least.answered else 0.0
        left, then = self.cores - row.client_cores, self.cores - least.client_cores
        return share, share * then / left

    def lost(self) -> list[Row]:
        """Loads under which a question of ours got no answer, 429 or 503."""
        return [row for row in self.rows if row.other and row.server.startswith("healer")]

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        fields: dict[str, Any] = {**asdict(self), "ratios": self.ratios()}
        text = json.dumps(fields, indent=2, ensure_ascii=False)
        (folder / "load.json").write_text(text + "\n", encoding="utf-8")
        draw(self.rows, folder / "load.png")


def show(result: Result, console: Console) -> None:
    title = f"{result.engine} on {result.machine}, {result.cores} cores"
    table = Table(title=title, title_justify="left")
    for head in HEADS:
        table.add_column(head, justify="left" if head in HEADS[:2] else "right")
    for row in result.rows:
        table.add_row(*cells(row, result))
    console.print(table)
    direct = result.direct
    console.print(
        f"The model called directly: {direct['answered_per_second']:.1f} a second, "
        f"{direct['cpu_seconds_each'] * 1000:.1f} ms of processor time each, "
        f"{direct['rss'] / MIB:.0f} MiB."
    )
    for name, ratio in result.ratios().items():
        console.print(
            f"{name}: {ratio['rate']:.1%} of that rate (client on the same cores), "
            f"{ratio['work']:.1%} of its work in a second of processor time."
        )
    console.print(f"Others used {result.others:.2f} cores before it began.")
    for row in result.rows:
        if row.other:
            console.print(f"{row.server}, {row.load}: {row.other} got {row.why}", markup=False)


def cells(row: Row, result: Result) -> tuple[str, ...]:
    return (
        row.server,
        row.load,
        *(f"{each:.1f}" for each in (row.offered, row.answered)),
        *(f"{each:,}" for each in (row.full, row.unready, row.other)),
        *(f"{each * 1000:.0f}" for each in (row.p50, row.p95, row.p99)),
        f"{row.cpu_each * 1000:.1f}",
        f"{row.client_cores:.2f}",
        *(f"{each:.0%}" for each in result.kept(row)),
        f"{row.peak_rss / MIB:.0f}",
    )


def draw(rows: list[Row], file: Path) -> None:
    """Answers a second beside latencies, load by load."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from benchmarks.medgemma.summary import BASELINES, INK, LINE, OURS, QUIET

    figure = Figure(figsize=(11, 0.32 * len(rows) + 1.4), layout="constrained")
    FigureCanvasAgg(figure)
    rates, waits = figure.subplots(1, 2, sharey=True)
    names = [f"{row.server}: {row.load}" for row in rows]
    colours = [OURS if row.server.startswith("healer") else BASELINES for row in rows]
    bars = rates.barh(names, [row.answered for row in rows], color=colours, height=0.62)
    rates.bar_label(bars, fmt="%.3g", padding=3, fontsize=8, color=INK)
    rates.set_title("Answered, a second", loc="left", fontsize=10, color=INK)
    for quantile, mark in (("p50", "o"), ("p99", "|")):
        waits.plot([getattr(row, quantile) for row in rows], names, mark, color=INK, label=quantile)
    waits.set_xscale("log")
    waits.set_title("Seconds until an answer", loc="left", fontsize=10, color=INK)
    waits.legend(frameon=False, fontsize=8)
    rates.invert_yaxis()
    for axes in (rates, waits):
        axes.tick_params(colors=QUIET, labelsize=8, length=0)
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(LINE)
    figure.savefig(file, dpi=130, metadata={"Software": None})
