"""A PostgreSQL of our own: real, empty, in a folder that goes away."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psutil

SUPERUSER = "healer"


def programs() -> Path | None:
    """The folder of `initdb` and `pg_ctl`: on the path, or where Debian keeps them."""
    on_path = shutil.which("initdb")
    if on_path:
        return Path(on_path).resolve().parent
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return found[-1].parent if found else None


class Cluster:
    """PostgreSQL refuses to run as root, so there it runs as `nobody`."""

    def __init__(self, programs: Path, *options: str) -> None:
        """`options` are `initdb`'s."""
        self._programs = programs
        self._user = "nobody" if os.geteuid() == 0 else None
        # Not pytest's own folder: another user must be able to enter, and a socket's path is short.
        self.folder = Path(tempfile.mkdtemp(prefix="healer-pg-"))
        self._data = self.folder / "data"
        if self._user:
            who = pwd.getpwnam(self._user)
            os.chown(self.folder, who.pw_uid, who.pw_gid)
        expected = ("-A", "trust", "-U", SUPERUSER, "--no-sync", "--no-instructions", *options)
        self._run("initdb", *expected)
        self.start()

    def start(self) -> None:
        options = f"-k {self.folder} -c listen_addresses="
        self._run("pg_ctl", "start", "-w", "-s", "-o", options, "-l", str(self.folder / "log"))

    def stop(self) -> None:
        self._run("pg_ctl", "stop", "-w", "-s", "-m", "immediate")

    def kill(self) -> None:
        """SIGKILL to the server and all its processes, and wait until none is left."""
        leader = self._leader()
        family = [leader, *children(leader)]
        for each in family:
            os.kill(each, signal.SIGKILL)
        while any(alive(each) for each in family):
            time.sleep(0.01)
        # In a container nobody may reap them, and PostgreSQL takes a zombie for a running server.
        for lock in (self._data / "postmaster.pid", self.folder / ".s.PGSQL.5432.lock"):
            lock.unlink()

    def remove(self) -> None:
        if alive(self._leader()):
            self.stop()
        shutil.rmtree(self.folder)

    def _leader(self) -> int:
        written = self._data / "postmaster.pid"
        return int(written.read_text(encoding="utf-8").splitlines()[0]) if written.exists() else 0

    def url(self, database: str, user: str = SUPERUSER) -> str:
        return f"postgresql://{user}@/{database}?host={self.folder}"

    def sql(self, statement: str, database: str = "postgres") -> str:
        where = ("-h", str(self.folder), "-U", SUPERUSER, "-d", database)
        return self._run("psql", *where, "-v", "ON_ERROR_STOP=1", "-At", "-c", statement)

    def _run(self, program: str, *arguments: str) -> str:
        done = subprocess.run(
            [self._programs / program, *arguments],
            check=False,
            env={**os.environ, "PGDATA": str(self._data), "LC_ALL": "C.UTF-8"},
            user=self._user,
            cwd=self.folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout


def children(of: int) -> list[int]:
    return [child.pid for child in psutil.Process(of).children(recursive=True)]


def alive(process: int) -> bool:
    return psutil.pid_exists(process) and psutil.Process(process).status() != psutil.STATUS_ZOMBIE
