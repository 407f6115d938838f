"""On real Ray processes: workers that die, a run that is killed, one machine and a cluster."""

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
import pyarrow.parquet as pq
import pytest

from healer.batch.cluster import STARTS
from healer.batch.parts import Row
from healer.batch.run import BLOCK
from healer.files.spelling import escaped
from tests.batch.tiles import folder_of, picture
from tests.conftest import REPO

pytest.importorskip("ray.data", reason="archives need healer[ray]")

BLOCKS = 5


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


def rows_of(output: Path) -> list[Row]:
    rows: list[Row] = pq.read_table(output).to_pylist()
    assert [row["row"] for row in rows] == list(range(len(rows)))
    return rows


def test_a_killed_run_goes_on_though_its_workers_die(tmp_path: Path, cluster: Cluster) -> None:
    folder = archive_of(tmp_path / "tiles")
    output, parts = tmp_path / "answers.parquet", tmp_path / "answers.parquet.parts"
    kill_half_way(folder, output, parts)
    finished = len(list(parts.glob("*.parquet")))
    assert 0 < finished < BLOCKS
    assert not output.exists()

    printed = cluster.run("tests.batch.poisoned", str(folder), str(output))
    rows = rows_of(output)
    names = [escaped(path.name) for path in sorted(folder.glob("*.png"))]
    assert [row["path"] for row in rows] == names
    assert names[-1] == r"z\xff.png"
    errors = {row["path"]: row["error_code"] for row in rows if row["error_code"]}
    assert errors == {"bad.png": "not_an_image", "poison.png": "tile_not_answered"}
    assert all(row["verdict"] for row in rows if row["path"] not in errors)
    assert f"{finished * BLOCK:,} were answered before and kept." in printed
    assert f"{len(rows) - finished * BLOCK:,} scored in" in printed
    assert "replaced" in printed
    assert set(tmp_path.iterdir()) == {folder, output}


def archive_of(folder: Path) -> Path:
    """Its last tiles are the bad ones."""
    folder_of(folder, BLOCKS * BLOCK)
    (folder / "bad.png").write_bytes(b"no picture")
    (folder / "once.png").write_bytes(picture(1))
    (folder / "poison.png").write_bytes(picture(2))
    (folder / "z\udcff.png").write_bytes(picture(3))
    return folder


def kill_half_way(folder: Path, output: Path, parts: Path) -> None:
    """A run on this machine alone."""
    command = [sys.executable, "-m", "healer", "predict", "--engine", "builtin", "--gate", "off"]
    archive = ["--input", str(folder), "--output", str(output)]
    with short_folder() as scratch:
        environment = {**os.environ, "TMPDIR": str(scratch)}
        with subprocess.Popen(
            [*command, *archive], env=environment, stderr=subprocess.DEVNULL
        ) as run:
            wait_until(lambda: any(parts.glob("*.parquet")), run)
            assert is_shut_up(psutil.Process(run.pid))
            family = psutil.Process(run.pid).children(recursive=True)
            run.kill()
        for each in family:
            if each.is_running():
                each.kill()  # some of Ray's take up to a minute to notice
        psutil.wait_procs(family)


def is_shut_up(run: psutil.Process) -> bool:
    """Whether nobody outside this machine can reach any of its sockets."""
    family = [run, *run.children(recursive=True)]
    sockets = [each for process in family for each in process.net_connections("inet")]
    listening = [each for each in sockets if each.status == psutil.CONN_LISTEN]
    assert listening
    reached = {each.laddr.ip.removeprefix("::ffff:") for each in sockets}
    return reached <= {"127.0.0.1", "::1"}
