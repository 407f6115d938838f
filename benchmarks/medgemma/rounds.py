"""Systems in turn, each in a fresh process: A B A B."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from benchmarks.idle import Watch
from benchmarks.medgemma.run import EXIT_SKIPPED
from benchmarks.medgemma.systems import RunSpec, SystemEntry
from benchmarks.processes import (
    ANONYMOUS,
    MemoryLimit,
    drop_page_cache,
    environment,
    last_lines,
    memory_of,
)

SAMPLING_SECONDS = 0.05


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
    spec_of: Callable[[SystemEntry, int], RunSpec],
    *,
    cold: bool,
) -> Iterator[Run]:
    """Round by round. One that failed is tried again in the next; one that has not what it needs
    is not, for it will not have it then either."""
    skipped: set[str] = set()
    for number in range(rounds):
        for entry in entries:
            if entry.name not in skipped:
                run = measure(entry, number, spec_of(entry, number), cold=cold)
                if run.skipped is not None:
                    skipped.add(entry.name)
                yield run


def measure(
    entry: SystemEntry,
    number: int,
    spec: RunSpec,
    *,
    cold: bool = False,
    memory_limit: MemoryLimit | None = None,
) -> Run:
    """One run; with `memory_limit`, inside it and with a cold page cache: what another process had
    read would not be counted."""
    if cold or memory_limit:
        drop_page_cache(spec.folder)
    command = [sys.executable, "-m", "benchmarks.medgemma.run", entry.name, spec.model_dump_json()]
    run, watch = Run(entry.name, number), Watch()
    with subprocess.Popen(  # noqa: S603 - our own command
        memory_limit.command(command) if memory_limit else command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
    ) as process:
        read_lines(process, run)
        run.code = process.wait()
    run.others = watch.others()
    run.oom_kills = memory_limit.kills if memory_limit else 0
    return run


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
        run.peak_anonymous = max(run.peak_anonymous, memory_of(process.pid, ANONYMOUS))
        with suppress(subprocess.TimeoutExpired):
            process.wait(SAMPLING_SECONDS)
    for thread in threads:
        thread.join()
    run.said = last_lines(complaints)


def read_results(process: subprocess.Popen[str], run: Run) -> None:
    for line in process.stdout or []:
        with suppress(ValueError):
            stage = json.loads(line)
            run.stages[stage.pop("stage")] = stage
