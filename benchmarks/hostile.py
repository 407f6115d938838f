"""Hostile pictures, sent to a service of its own: `python -m benchmarks.hostile`.

Prints docs/hostile-input.md's table: for each kind of picture what the service said, and how long
the slowest took; then the most memory that the service, and one of its decoders, held.
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from benchmarks.load.process import free_port, wait_until_ready
from tests.images.hostile import corpus
from tests.images.hostile.parts import Hostile, good

SAMPLE_SECONDS = 0.1
TIMEOUT = 300.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the service said of one picture; `code` is "answered" for a 200."""

    hostile: Hostile
    status: int
    code: str
    detail: str
    seconds: float
    answer: dict[str, object] = field(repr=False)


class Memory(threading.Thread):
    """The most resident memory, in bytes: of the service alone, and with all its decoders."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.service = psutil.Process(pid)
        self.first = self.service.memory_info().rss
        self.most_alone = self.most = 0
        self.over = threading.Event()

    def run(self) -> None:
        while not self.over.wait(SAMPLE_SECONDS):
            try:
                alone = self.service.memory_info().rss
                decoders = [resident(child) for child in self.service.children()]
            except psutil.NoSuchProcess:
                return
            self.most_alone = max(self.most_alone, alone)
            self.most = max(self.most, alone + sum(decoders))


def resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:  # it was ended, which is what this is about
        return 0


@dataclass(frozen=True, slots=True)
class Service:
    client: httpx.Client
    process: subprocess.Popen[str]
    memory: Memory

    def post(self, hostile: Hostile) -> Outcome:
        upload = {"image_file": (hostile.filename, hostile.make())}
        started = time.perf_counter()
        response = self.client.post("/predict", files=upload, data={"gate": "off"})
        seconds = time.perf_counter() - started
        body = response.json()
        code, detail = body.get("code", "answered"), body.get("detail", "")
        return Outcome(hostile, response.status_code, code, detail, seconds, body)

    def answers(self) -> bool:
        """Whether a good tile is answered now."""
        upload = {"image_file": ("tile.png", good("PNG"))}
        response = self.client.post("/predict", files=upload, data={"gate": "off"})
        return response.status_code == 200 and self.process.poll() is None


@contextmanager
def serving(**variables: str) -> Iterator[Service]:
    """`healer serve` with the built-in model; ended, and its output searched, afterwards."""
    inherited = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "healer", "serve", "--port", str(port), "--engine", "builtin"]
    with (
        tempfile.TemporaryDirectory() as folder,
        (Path(folder) / "log").open("w") as log,
        subprocess.Popen(  # noqa: S603
            command, cwd=folder, env=inherited | variables, stderr=log, text=True
        ) as process,
    ):
        try:
            wait_until_ready(f"{url}/ready", process, Path(log.name))
            with httpx.Client(base_url=url, timeout=TIMEOUT) as client:
                memory = Memory(process.pid)
                memory.start()
                yield Service(client, process, memory)
                memory.over.set()
                memory.join()
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)
        log_text = Path(log.name).read_text(encoding="utf-8")
        if "Traceback" in log_text:
            raise AssertionError(log_text)


def report(outcomes: Sequence[Outcome], memory: Memory) -> Iterable[str]:
    yield "| pictures | sent | answers | slowest, s |"
    yield "|---|---|---|---|"
    for group in dict.fromkeys(each.hostile.group for each in outcomes):
        of_group = [each for each in outcomes if each.hostile.group == group]
        counts = Counter(f"{each.status} `{each.code}`" for each in of_group)
        summary = ", ".join(f"{count} × {code}" for code, count in counts.most_common())
        yield f"| {group} | {len(of_group)} | {summary} | {max(e.seconds for e in of_group):.1f} |"
    megabytes = [each // 1024**2 for each in (memory.first, memory.most_alone, memory.most)]
    yield ""
    server_errors = sum(each.status >= 500 for each in outcomes)
    yield f"{len(outcomes)} pictures; {server_errors} answers in the 500s."
    yield "Memory of the service: {} MB before, {} MB at most, {} MB with its decoders.".format(
        *megabytes
    )


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hostile", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--seconds", default="20", help="HEALER_DECODE_SECONDS")
    options = parser.parse_args(arguments)
    with serving(HEALER_DECODE_SECONDS=options.seconds) as service:
        outcomes = [service.post(each) for each in corpus()]
        if not service.answers():
            raise SystemExit("A good tile is not answered any more.")
    sys.stdout.write("\n".join(report(outcomes, service.memory)) + "\n")


if __name__ == "__main__":
    main()
