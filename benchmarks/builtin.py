"""Tiles a second of `healer predict` with the built-in model, in float32 and, by either runtime, in
8-bit integers, and of a ResNet-18 beside it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import IO

import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.errors import SystemMissing
from benchmarks.idle import Watch, check, used_by_others
from benchmarks.processes import PEAK, environment, last_lines, memory_of
from healer.errors import FileNotReadable
from healer.files.walk import walk_all
from healer.hardware import multiplies_bytes

BATCH = 16  # answers of `healer predict` come so many at a time
PROBLEM = "code"  # only a refusal has one
PREDICT = ["predict", "--json", "--engine", "builtin"]
# As where it is not installed.
WITHOUT_OPENVINO = "import sys; sys.modules['openvino'] = None; from healer.cli import app; app()"
FLOATS = "healer, float32, ONNX Runtime"
INTEGERS = "healer, 8 bits, ONNX Runtime"
OPENVINO = "healer, 8 bits, OpenVINO"
COMMANDS = {
    FLOATS: ["-m", "healer", *PREDICT],
    INTEGERS: ["-c", WITHOUT_OPENVINO, *PREDICT],
    OPENVINO: ["-m", "healer", *PREDICT],
    "resnet18": ["-m", "benchmarks.resnet18"],
}
EIGHT_BITS = {"HEALER_QUANTIZATION": "8bit"}
VARIABLES = {FLOATS: {"HEALER_QUANTIZATION": "none"}, INTEGERS: EIGHT_BITS, OPENVINO: EIGHT_BITS}


@dataclass(frozen=True, slots=True)
class TileRate:
    """Of one process: seconds from its start to the first answer, tiles a second with and without
    what comes before the first batch is answered, `processor` seconds a tile of all its threads
    after that, its peak memory in bytes, and how many cores `others` kept busy meanwhile. `refused`
    tiles were not scored by the model, and so were quicker."""

    name: str
    tiles: int
    refused: int
    first: float
    tiles_per_second: float
    tiles_per_second_running: float | None
    processor: float | None
    peak_rss: int
    others: float


@dataclass(slots=True)
class Answers:
    """Of one process: seconds to each answer, the processor's seconds that all its threads had
    taken by then, how many were refusals, and the most memory seen at one."""

    times: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    refused: int = 0
    peak: int = 0

    def running(self, seconds: Sequence[float]) -> float | None:
        """For each tile after the first batch; None where there are too few."""
        rest = len(seconds) - BATCH
        return (seconds[-1] - seconds[BATCH - 1]) / rest if rest > BATCH else None


def tile_rate(name: str, folder: Path, images: int) -> TileRate:
    """A fresh process over all `images` in `folder`. Raises SystemMissing."""
    check_that_it_is_what_its_name_says(name)
    watch, started = Watch(), time.perf_counter()
    with tempfile.TemporaryFile("w+", encoding="utf-8") as complaints:
        with subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, *COMMANDS[name], str(folder)],
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
            env=environment() | VARIABLES.get(name, {}),
        ) as process:
            answers = read_answers(process.stdout, process.pid, started)
        if len(answers.times) != images:
            complaints.seek(0)
            why = last_lines(complaints.readlines()) or f"exit {process.returncode}, without a word"
            reason = f"{len(answers.times)} of {images} tiles were answered: {why}"
            raise SystemMissing(name, reason)
    seconds = answers.running(answers.times)
    return TileRate(
        name=name,
        tiles=len(answers.times),
        refused=answers.refused,
        first=answers.times[0],
        tiles_per_second=len(answers.times) / answers.times[-1],
        tiles_per_second_running=1 / seconds if seconds else None,
        processor=answers.running(answers.processor),
        peak_rss=answers.peak,
        others=watch.others(),
    )


def check_that_it_is_what_its_name_says(name: str) -> None:
    """Raises SystemMissing where Healer would take another network or runtime."""
    if name in (INTEGERS, OPENVINO) and not multiplies_bytes():
        raise SystemMissing(name, "this processor multiplies integers no faster (it has no VNNI)")
    if name == OPENVINO and find_spec("openvino") is None:
        raise SystemMissing(name, "OpenVINO is not installed")


def read_answers(lines: IO[str] | None, pid: int, started: float) -> Answers:
    answers = Answers()
    process = psutil.Process(pid)
    for line in lines or []:
        answers.refused += PROBLEM in json.loads(line)
        answers.times.append(time.perf_counter() - started)
        with suppress(psutil.Error):  # it has ended, or is ending
            times = process.cpu_times()
            answers.processor.append(times.user + times.system)
        answers.peak = max(answers.peak, memory_of(pid, PEAK))
    return answers


def benchmark(folder: Path, out: Path, *, rounds: int, anyway: bool) -> list[TileRate]:
    """`healer predict`, twice, and a ResNet-18 over the same tiles, in turn.

    Raises BenchmarkError or FileNotReadable.
    """
    images = len(walk_all([folder]).files)
    if not images:
        raise FileNotReadable("no image was found there")
    check(used_by_others(), anyway=anyway)
    rates = []
    failures: dict[str, list[str]] = {}
    for _ in range(rounds):
        for name in COMMANDS:
            try:
                rates.append(tile_rate(name, folder, images))
            except SystemMissing as why:
                failures.setdefault(name, []).append(why.reason)
    missing = {
        name: f"{len(reasons)} of {rounds} rounds failed; last, {reasons[-1]}"
        for name, reasons in failures.items()
    }
    show_rates(rates, missing, out)
    return rates


def show_rates(rates: Sequence[TileRate], missing: Mapping[str, str], out: Path) -> None:
    """Prints medians over the rounds, the most memory and the most cores that others kept busy, and
    saves every round in builtin.json."""
    made = Table(
        "",
        "Tiles",
        "refused",
        "First answer, s",
        "Tiles/s",
        "once running",
        "CPU ms",
        "Peak MB",
        "Others",
    )
    for name in dict.fromkeys(rate.name for rate in rates):
        rounds = [rate for rate in rates if rate.name == name]
        made.add_row(
            name,
            str(rounds[0].tiles),
            str(rounds[0].refused),
            f"{median(p.first for p in rounds):.2f}",
            f"{median(p.tiles_per_second for p in rounds):.1f}",
            _median([p.tiles_per_second_running for p in rounds]),
            _median([p.processor and 1000 * p.processor for p in rounds]),
            f"{max(p.peak_rss for p in rounds) / 1e6:.0f}",
            f"{max(p.others for p in rounds):.2f}",
        )
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 120  # of all columns
    console.print(made)
    for name, why in missing.items():
        console.print(f"{name}: {why}", markup=False)
    out.mkdir(parents=True, exist_ok=True)
    text = json.dumps({"rates": [asdict(p) for p in rates], "missing": missing}, indent=2)
    (out / "builtin.json").write_text(text + "\n")


def _median(values: Sequence[float | None]) -> str:
    known = [value for value in values if value]
    return f"{median(known):.1f}" if known else "–"
