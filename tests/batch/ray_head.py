"""A Ray cluster of one node, which somebody else has started, for tests."""

from __future__ import annotations

import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from healer.batch.cluster import STARTS
from tests.conftest import REPO


@dataclass(frozen=True, slots=True)
class Cluster:
    address: str
    environment: dict[str, str]

    def run(self, *arguments: str) -> str:
        """What a Healer command says on stdout; nothing but progress may be on stderr."""
        done = subprocess.run(
            [sys.executable, "-m", *arguments, self.address],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,  # Ray itself waits without end for processes of its own that hang
        )
        assert all(line.endswith(" tiles") for line in done.stderr.splitlines()), done.stderr
        return done.stdout


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A head node that somebody else started, with Ray's own token authentication."""
    token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    environment = {**os.environ, **token, "RAY_USAGE_STATS_ENABLED": "0", "PYTHONPATH": str(REPO)}
    with short_folder() as folder, ExitStack() as stack:
        for left in reversed(range(STARTS)):
            try:
                address = stack.enter_context(head_node(folder, environment))
                break
            except AssertionError:
                if not left:
                    raise
        yield Cluster(address, environment)


@contextmanager
def head_node(folder: Path, environment: dict[str, str]) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("", 0))
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("ray")), "start", "--head", "--block"]
    options = ["--num-cpus=2", f"--port={port}", f"--temp-dir={folder}"]
    small = ["--include-dashboard=false", f"--object-store-memory={2**27}"]
    address = folder / "ray_current_cluster"
    address.unlink(missing_ok=True)
    log = (folder / "log").open("w")
    with log, subprocess.Popen([*command, *options, *small], stdout=log, env=environment) as head:
        family = psutil.Process(head.pid)
        try:
            wait_until(lambda: address.exists() and bool(address.read_text(encoding="utf-8")), head)
            yield address.read_text(encoding="utf-8").strip()
        finally:
            kill_all(family)


@contextmanager
def short_folder() -> Iterator[Path]:
    """Ray's sockets lie in it, and a socket's path must be short."""
    with tempfile.TemporaryDirectory(prefix="r-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def kill_all(process: psutil.Process) -> None:
    if not process.is_running():
        return
    family = [process, *process.children(recursive=True)]
    for each in family:
        if each.is_running():
            each.kill()
    psutil.wait_procs(family)


def wait_until(true: Callable[[], bool], process: subprocess.Popen[bytes]) -> None:
    while not true():
        assert process.poll() is None
        time.sleep(0.05)
