"""What Healer costs on Cloud Run, by formula: `python -m benchmarks.costs`.

    instance   vCPU · price + GiB · price (+ GPU · price), US dollars a second
    CPU        busy · busy rate + (warm · month - busy) · idle rate + requests · price
    L4         max(warm · month, busy) · rate
    busy       tiles a month · seconds a tile

`warm` is MIN_INSTANCES; idle time is never negative. Seconds a tile are measured elsewhere
(`python -m benchmarks`) and come in as parameters.
"""

from __future__ import annotations

import argparse
import sys
import tomllib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PRICES = Path(__file__).with_name("prices.toml")
HOUR = 3600.0
DAYS = 30.4
MONTH = DAYS * 24 * HOUR
CPU_SECONDS = (5.0, 10.0, 20.0, 40.0)
L4_SECONDS = (0.25, 0.5, 1.0, 2.0)
START, END = "<!-- costs -->\n", "<!-- /costs -->"
LOADS = (100, 1_000, 10_000, 100_000)  # tiles a day
BUILTIN_SECONDS = 1 / 54.6  # docs/performance.md, on two cores


@dataclass(frozen=True, slots=True)
class Rates:
    """US dollars: a second of each kind of instance, a request, and what a build costs."""

    cpu_busy: float
    cpu_idle: float
    l4: float
    request: float
    build_minute: float
    stored_gb_month: float
    read: str

    @classmethod
    def of(cls, prices: dict[str, Any]) -> Rates:
        cpu, l4 = prices["cpu"], prices["l4"]
        return cls(
            cpu_busy=cpu["vcpu"] * cpu["busy_vcpu_second"] + cpu["gib"] * cpu["busy_gib_second"],
            cpu_idle=cpu["vcpu"] * cpu["idle_vcpu_second"] + cpu["gib"] * cpu["idle_gib_second"],
            l4=l4["vcpu"] * l4["vcpu_second"] + l4["gib"] * l4["gib_second"] + l4["gpu_second"],
            request=cpu["million_requests"] / 1e6,
            build_minute=prices["once"]["build_minute"],
            stored_gb_month=prices["once"]["stored_gb_month"],
            read=prices["read"],
        )

    def cpu_month(self, tiles: float, seconds: float, warm: int = 1) -> float:
        busy = tiles * seconds
        idle = max(0.0, warm * MONTH - busy)
        return busy * self.cpu_busy + idle * self.cpu_idle + tiles * self.request

    def l4_month(self, tiles: float, seconds: float, warm: int = 1) -> float:
        return max(warm * MONTH, tiles * seconds) * self.l4

    def cpu_thousand(self, seconds: float) -> float:
        """A thousand tiles on instances that never wait."""
        return 1000 * (seconds * self.cpu_busy + self.request)

    def l4_thousand(self, seconds: float) -> float:
        return 1000 * seconds * self.l4

    def l4_wins_from(self, cpu_seconds: float) -> float:
        """Tiles a day from which one L4, if it keeps up, is cheaper than CPU instances."""
        l4 = self.l4_month(0, 0)
        return _crossing(lambda tiles: self.cpu_month(tiles * DAYS, cpu_seconds) - l4)


def _crossing(difference: Callable[[float], float]) -> float:
    """Where a function that grows past 0 does so, by bisection."""
    low, high = 0.0, 1.0
    while difference(high) < 0:
        low, high = high, 2 * high
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if difference(middle) < 0 else (low, middle)
    return high


def report(rates: Rates, cpu: Sequence[float], l4: Sequence[float]) -> Iterable[str]:
    yield f"List prices read {rates.read}, europe-west1, US dollars.\n"
    yield from _instances(rates)
    yield "\nA thousand tiles, on instances that never wait:\n"
    yield from _thousands(rates, cpu, l4)
    yield "\nA month at so many tiles a day, one instance kept:\n"
    yield from _months(rates, cpu, l4)
    yield "\nWhere one L4 becomes the cheaper one:\n"
    yield from _crossings(rates, cpu)
    yield f"\nBesides: {60 * rates.build_minute:.2f} for an hour of building, and"
    yield f"{rates.stored_gb_month:.2f} a month for each GB that the repository keeps."


def _instances(rates: Rates) -> Iterable[str]:
    yield "| instance | an hour | a month |"
    yield "|---|---|---|"
    for name, rate in (
        ("CPU, kept and waiting", rates.cpu_idle),
        ("CPU, answering", rates.cpu_busy),
        ("L4, kept or answering", rates.l4),
    ):
        yield f"| {name} | {rate * HOUR:.3f} | {rate * MONTH:.0f} |"


def _thousands(rates: Rates, cpu: Sequence[float], l4: Sequence[float]) -> Iterable[str]:
    yield "| | seconds a tile | US dollars |"
    yield "|---|---|---|"
    for seconds in cpu:
        yield f"| CPU | {seconds:g} | {rates.cpu_thousand(seconds):.3f} |"
    for seconds in l4:
        yield f"| L4 | {seconds:g} | {rates.l4_thousand(seconds):.3f} |"
    builtin = rates.cpu_thousand(BUILTIN_SECONDS)
    yield f"| CPU, built-in model (measured on two cores) | {BUILTIN_SECONDS:.3f} | {builtin:.4f} |"


def _months(rates: Rates, cpu: Sequence[float], l4: Sequence[float]) -> Iterable[str]:
    yield "| | seconds a tile | " + " | ".join(f"{load:,}" for load in LOADS) + " |"
    yield "|---|---|" + "---|" * len(LOADS)
    for name, cost, times in (("CPU", rates.cpu_month, cpu), ("L4", rates.l4_month, l4)):
        for seconds in times:
            cells = " | ".join(f"{cost(load * DAYS, seconds):,.0f}" for load in LOADS)
            yield f"| {name} | {seconds:g} | {cells} |"


def _crossings(rates: Rates, cpu: Sequence[float]) -> Iterable[str]:
    yield "| CPU, seconds a tile | from tiles a day | L4, at most seconds a tile |"
    yield "|---|---|---|"
    for seconds in cpu:
        tiles = rates.l4_wins_from(seconds)
        yield f"| {seconds:g} | {tiles:,.0f} | {24 * HOUR / tiles:.1f} |"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.costs", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--prices", type=Path, default=PRICES, help="another prices.toml")
    parser.add_argument("--cpu-seconds", type=float, nargs="+", default=CPU_SECONDS)
    parser.add_argument("--l4-seconds", type=float, nargs="+", default=L4_SECONDS)
    parser.add_argument("--write", type=Path, help="a document with <!-- costs --> in it")
    options = parser.parse_args(arguments)
    rates = Rates.of(tomllib.loads(options.prices.read_text(encoding="utf-8")))
    output = "\n".join(report(rates, options.cpu_seconds, options.l4_seconds)) + "\n"
    if options.write is None:
        sys.stdout.write(output)
    else:
        before, rest = options.write.read_text(encoding="utf-8").split(START)
        options.write.write_text(f"{before}{START}{output}{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    main()
