"""Contenders in turn, each in a fresh process: A B A B."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.medgemma.idle import Watch
from benchmarks.medgemma.memory_limit import MemoryLimit, remove_limit
from benchmarks.medgemma.run import EXIT_SKIPPED
from benchmarks.medgemma.system import BenchmarkOrder
from benchmarks.medgemma.systems import REPOSITORY, SystemEntry

SAMPLING_SECONDS = 0.05
LAST_LINES = 5


@dataclass(slots=True)
class Run:
    """One process: what it said at each stage, and what was seen of it from outside.

    `others` is how many cores other processes kept busy meanwhile; `peak_anonymous` bytes of the
    memory that no file backs.
    """

    name: str
    round: int
    stages: dict[str, dict[str, Any]] = field(default_factory=dict)
    peak_anonymous: int = 0
    others: float = 0.0
    code: int | None = None
    oom_kills: int = 0
    said: str = ""

    @property
    def skipped(self) -> str | None:
        return self.stages.get("skipped", {}).get("reason") if self.code == EXIT_SKIPPED else None

    @property
    def finished(self) -> bool:
        return self.code == 0 and "done" in self.stages

    @property
    def outcome(self) -> str:
        """In words."""
        if self.finished:
            return "answered"
        if self.skipped is not None:
            return f"skipped: {self.skipped}"
        reached = next(reversed(self.stages), "start")
        if self.oom_kills:
            return f"killed for want of memory after {reached}"
        return f"failed after {reached}, exit {self.code}: {self.said}"


def in_turn(
    entries: list[SystemEntry],
    rounds: int,
    order_of: Callable[[SystemEntry, int], BenchmarkOrder],
    *,
    cold: bool,
) -> Iterator[Run]:
    """Round by round. One that failed is tried again in the next; one that has not what it needs
    is not, for it will not have it then either."""
    out: set[str] = set()
    for number in range(rounds):
        for entry in entries:
            if entry.name not in out:
                run = measure(entry, number, order_of(entry, number), cold=cold)
                if run.skipped is not None:
                    out.add(entry.name)
                yield run


def measure(
    entry: SystemEntry,
    number: int,
    order: BenchmarkOrder,
    *,
    cold: bool = False,
    cage: MemoryLimit | None = None,
) -> Run:
    """One run; with `cage`, inside it and with a cold page cache: what another process had read
    would not be counted."""
    if cold or cage:
        remove_limit(order.folder)
    command = [sys.executable, "-m", "benchmarks.medgemma.run", entry.name, order.model_dump_json()]
    run, watch = Run(entry.name, number), Watch()
    with subprocess.Popen(  # noqa: S603 - our own command
        cage.command(command) if cage else command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    ) as process:
        read_lines(process, run)
        run.code = process.wait()
    run.others = watch.others()
    run.oom_kills = cage.kills if cage else 0
    return run


def environment() -> dict[str, str]:
    """Ours, with rivals' folder on the path, and no library speaking to anyone."""
    paths = [str(REPOSITORY), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "HF_HUB_OFFLINE": "1"}


def read_lines(process: subprocess.Popen[str], run: Run) -> None:
    """Reads its stages and its complaints until it ends, and its memory meanwhile."""
    complaints: list[str] = []
    threads = [
        threading.Thread(target=complaints.extend, args=(process.stderr or [],)),
        threading.Thread(target=read_results, args=(process, run)),
    ]
    for thread in threads:
        thread.start()
    while process.poll() is None:
        run.peak_anonymous = max(run.peak_anonymous, anonymous(process.pid))
        with suppress(subprocess.TimeoutExpired):
            process.wait(SAMPLING_SECONDS)
    for thread in threads:
        thread.join()
    run.said = last_lines(complaints)


def last_lines(complaints: Sequence[str]) -> str:
    """The end of what a process wrote to standard error, in one line."""
    return " ".join(line.strip() for line in complaints[-LAST_LINES:])


def read_results(process: subprocess.Popen[str], run: Run) -> None:
    for line in process.stdout or []:
        with suppress(ValueError):
            stage = json.loads(line)
            run.stages[stage.pop("stage")] = stage


def anonymous(pid: int) -> int:
    """Bytes of the process's memory that no file backs; 0 once it is gone."""
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
    return 0
