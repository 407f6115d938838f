"""A server started for a measurement: until it is ready, what it uses, and its end."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks.load.tiles import REPOSITORY

SAMPLE_SECONDS = 0.1
START_SECONDS = 600.0
END_SECONDS = 90.0


@dataclass(frozen=True, slots=True)
class Use:
    """Of a server with all its processes: bytes and seconds of processor time since the start."""

    rss: int
    cpu: float
    processes: int
    threads: int
    files: int


class Server:
    def __init__(self, url: str, process: subprocess.Popen[str], log: Path) -> None:
        self.url, self.log = url, log
        self._process = psutil.Process(process.pid)
        self._peak = 0
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._follow, daemon=True)
        self._watch.start()

    def use(self, *, files: bool = False) -> Use:
        """`files` are counted only on request: that is slow."""
        rss, cpu, count, threads, handles = 0, 0.0, 0, 0, 0
        for each in (self._process, *self._process.children(recursive=True)):
            with suppress(psutil.NoSuchProcess), each.oneshot():
                rss += each.memory_info().rss
                cpu += sum(each.cpu_times()[:2])
                threads += each.num_threads()
                handles += each.num_fds() if files else 0
                count += 1
        return Use(rss, cpu, count, threads, handles)

    def peak(self) -> int:
        """Bytes, since the last call."""
        most, self._peak = max(self._peak, self.use().rss), 0
        return most

    def stop_watching(self) -> None:
        self._over.set()
        self._watch.join()

    def _follow(self) -> None:
        while not self._over.wait(SAMPLE_SECONDS):
            with suppress(psutil.NoSuchProcess):
                self._peak = max(self._peak, self.use().rss)


@contextmanager
def healer(engine: str, **variables: str) -> Iterator[Server]:
    """`healer serve`."""
    port = free_port()
    command = ["-m", "healer", "serve", "--port", str(port), "--engine", engine]
    with started([sys.executable, *command], port, "/ready", variables) as server:
        yield server


@contextmanager
def started(
    command: Sequence[str], port: int, ready: str, variables: dict[str, str]
) -> Iterator[Server]:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "src"), **variables}
    with tempfile.TemporaryDirectory(prefix="load-") as folder:
        log = Path(folder) / "log"
        with (
            log.open("w") as log_file,
            subprocess.Popen(  # noqa: S603 - our own commands
                command,
                cwd=REPOSITORY,
                env=environment,
                stdout=log_file,
                stderr=log_file,
                text=True,
            ) as process,
        ):
            try:
                url = f"http://127.0.0.1:{port}"
                wait_until_ready(f"{url}{ready}", process, log)
                server = Server(url, process, log)
                yield server
                server.stop_watching()
            finally:
                end(process)


def wait_until_ready(url: str, process: subprocess.Popen[str], log: Path) -> None:
    until = time.monotonic() + START_SECONDS
    while time.monotonic() < until and process.poll() is None:
        with (
            suppress(urllib.error.URLError, ConnectionError),
            urllib.request.urlopen(url, timeout=5),  # noqa: S310 - our own server
        ):
            return
        time.sleep(0.05)
    last = "\n".join(log.read_text(encoding="utf-8").splitlines()[-5:])
    raise SystemExit(f"The server was not ready: {last}")


def end(process: subprocess.Popen[str]) -> None:
    """With its children: LitServe's outlive it where they are in the middle of something."""
    with suppress(psutil.NoSuchProcess):
        whole = psutil.Process(process.pid)
        family = [*whole.children(recursive=True), whole]
        process.send_signal(signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            process.wait(END_SECONDS)
        for each in family:
            with suppress(psutil.NoSuchProcess):
                each.kill()


def free_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        return int(listening.getsockname()[1])


def problems_in(log: Path) -> list[str]:
    """Lines that report a fault of the server's own."""
    return re.findall(
        r"^.*(?:Traceback|critical).*$", log.read_text(encoding="utf-8"), re.MULTILINE
    )
