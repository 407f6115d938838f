"""Tiles a second of `healer predict` with the built-in model, and of a ResNet-18 beside it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from benchmarks.medgemma.rounds import environment, last_lines
from benchmarks.medgemma.systems import REPOSITORY
from healer.errors import SystemMissing

BATCH = 16  # answers of `healer predict` come so many at a time
PEAK = "VmHWM:"
PROBLEM = "code"  # only a refusal has one
COMMANDS = {
    "healer predict": ["-m", "healer", "predict", "--json", "--engine", "builtin"],
    "resnet18": ["-m", "benchmarks.resnet18"],
}


@dataclass(frozen=True, slots=True)
class TileRate:
    """Of one process: seconds from its start to the first answer, tiles a second with and without
    what comes before the first batch is answered, and its peak memory in bytes. `refused` tiles
    were not looked at by the model, and so were quicker."""

    name: str
    tiles: int
    refused: int
    first: float
    tiles_per_second: float
    tiles_per_second_running: float | None
    peak_rss: int


def tile_rate(name: str, folder: Path, images: int) -> TileRate:
    """A fresh process over all `images` in `folder`. Raises ContenderMissing."""
    if name == "resnet18" and not (REPOSITORY / "benchmarks").is_dir():
        raise SystemMissing(name, "benchmarks/ is not beside the package")
    started = time.perf_counter()
    with tempfile.TemporaryFile("w+", encoding="utf-8") as complaints:
        with subprocess.Popen(  # noqa: S603 - our own command
            [sys.executable, *COMMANDS[name], str(folder)],
            stdout=subprocess.PIPE,
            stderr=complaints,
            text=True,
            env=environment(),
        ) as process:
            times, refused, peak = last_object(process.stdout, process.pid, started)
        if len(times) != images:
            complaints.seek(0)
            why = last_lines(complaints.readlines()) or f"exit {process.returncode}, without a word"
            reason = f"{len(times)} of {images} tiles were answered: {why}"
            raise SystemMissing(name, reason)
    rest = len(times) - BATCH
    return TileRate(
        name=name,
        tiles=len(times),
        refused=refused,
        first=times[0],
        tiles_per_second=len(times) / times[-1],
        tiles_per_second_running=rest / (times[-1] - times[BATCH - 1]) if rest > BATCH else None,
        peak_rss=peak,
    )


def last_object(lines: IO[str] | None, pid: int, started: float) -> tuple[list[float], int, int]:
    """Seconds to each answer, how many were refusals, and the most memory seen at one."""
    times: list[float] = []
    refused = peak = 0
    for line in lines or []:
        refused += PROBLEM in json.loads(line)
        times.append(time.perf_counter() - started)
        peak = max(peak, peak_of(pid))
    return times, refused, peak


def peak_of(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(PEAK)), 0)
