"""A service in a process of its own, started again whenever it ends: what a platform does."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import httpx2 as httpx

from tests.conftest import REPO
from tests.faults.service import until
from tests.server.conftest import png

OURS = ("tests.faults.server",)


class Supervised:
    """Files in `folder` control the engine; `codes` are what the processes ended with."""

    def __init__(
        self, folder: Path, command: Sequence[str], before: Sequence[str], env: dict[str, str]
    ) -> None:
        self.folder, self.codes = folder, list[int]()
        self.url = f"http://127.0.0.1:{free_port()}"
        port = self.url.rpartition(":")[2]
        self._command = [*before, sys.executable, "-m", *command]
        ours = ("HEALER_", "MODEL_")
        foreign = {name: os.environ[name] for name in os.environ if not name.startswith(ours)}
        plain = {"PYTHONPATH": str(REPO), "PORT": port, "HEALER_DECODERS": "0"}
        self._env = {**foreign, **plain, **env}
        alone = httpx.Limits(max_keepalive_connections=0)
        self.http = httpx.Client(base_url=self.url, timeout=60, limits=alone)
        self._stopping, self._seen = False, 0
        self.may_restart = threading.Event()
        self.may_restart.set()
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run)

    @property
    def pid(self) -> int:
        return self._process.pid

    def start(self, log: IO[str]) -> None:
        self._log = log
        self._thread.start()
        self._started.wait()

    def stop(self) -> None:
        self._stopping = True
        self.may_restart.set()
        self._process.kill()
        self._thread.join()
        self.http.close()

    def _run(self) -> None:
        while not self._stopping:
            command, cwd = self._command, self.folder
            with subprocess.Popen(command, stderr=self._log, env=self._env, cwd=cwd) as process:
                self._process = process
                self._started.set()
                self.codes.append(process.wait())
            self.may_restart.wait()

    def get(self, path: str) -> httpx.Response:
        return self.http.get(path)

    def predict(self, **headers: str) -> httpx.Response:
        sent = {"image_file": png()}
        return self.http.post("/predict", files=sent, headers=headers)

    def is_ready(self) -> bool:
        return self._status("/ready") == 200

    def is_unready(self) -> bool:
        return self._status("/ready") == 503

    def _status(self, path: str) -> int | None:
        try:
            return self.get(path).status_code
        except httpx.TransportError:
            return None

    def waiting(self) -> int:
        """Tiles in the queue, as `/metrics` has it."""
        lines = self.get("/metrics").text.splitlines()
        (depth,) = (line for line in lines if line.startswith("healer_queue_depth "))
        return int(float(depth.split()[1]))

    def ended(self) -> int:
        """What the process ended with that was ending."""
        until(lambda: len(self.codes) > self._seen)
        self._seen += 1
        return self.codes[-1]

    def mute(self) -> None:
        """Let it write no more than its first words."""
        (self.folder / "mute").touch()

    def unmute(self) -> None:
        (self.folder / "mute").unlink()

    def hold(self) -> None:
        """Let the model wait."""
        (self.folder / "wait").touch()

    def go_on(self) -> None:
        (self.folder / "wait").unlink()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


@contextmanager
def supervised(
    folder: Path,
    *,
    command: Sequence[str] = OURS,
    grace: int = 30,
    before: Sequence[str] = (),
    log: str = "log",
    **env: str,
) -> Iterator[Supervised]:
    """Ready. `before` is put in front of the command, `env` are settings."""
    if command == OURS:
        command = [*OURS, str(folder), str(grace)]
    server = Supervised(folder, command, before, env)
    with (folder / log).open("w", encoding="utf-8") as target:
        server.start(target)
        try:
            until(server.is_ready)
            yield server
        finally:
            server.stop()
