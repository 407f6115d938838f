"""Runs an image's own command as a container would: PID 1, no capability, a read-only root.

By Linux namespaces and util-linux, so that no container engine is needed. The network is the
machine's.
"""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

# In the new namespaces, as root; the last line gives everything up.
ENTER = """
set -eu
root=$1 user=$2 group=$3; shift 3
mount --bind "$root" "$root"
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
mount -t tmpfs -o size=1m,mode=755,nosuid tmpfs "$root/dev"
for name in null zero random urandom; do
    touch "$root/dev/$name"
    mount --bind "/dev/$name" "$root/dev/$name"
done
mount -o remount,bind,ro "$root/dev"
mount -t tmpfs -o size=64m,mode=1777,nosuid,nodev tmpfs "$root/tmp"
mount -o remount,bind,ro "$root"
exec chroot "$root" /usr/bin/setpriv --reuid="$user" --regid="$group" --clear-groups \
    --inh-caps=-all --bounding-set=-all --no-new-privs -- "$@"
"""


@dataclass(frozen=True, slots=True)
class Container:
    """`root` holds the image's files, `configuration` is the image's."""

    root: Path
    configuration: Mapping[str, Any]

    def start(
        self, log: IO[str], *arguments: str, environment: Mapping[str, str] | None = None
    ) -> Service:
        """The image's ENTRYPOINT with `arguments`, or with its CMD where there are none."""
        command = self.configuration["Entrypoint"] + (list(arguments) or self.configuration["Cmd"])
        process = subprocess.Popen(
            self._entered(command),
            env=self._environment(environment or {}),
            stdout=log,
            stderr=subprocess.STDOUT,
            text=True,
        )
        return Service(process)

    def run(self, command: Sequence[str], **environment: str) -> subprocess.CompletedProcess[str]:
        """Any command, as the same user in the same surroundings."""
        return subprocess.run(
            self._entered(command),
            env=self._environment(environment),
            check=False,
            capture_output=True,
            text=True,
            timeout=120,
        )

    def _entered(self, command: Sequence[str]) -> list[str]:
        user, _, group = self.configuration["User"].partition(":")
        namespaces = ["--mount", "--propagation", "private", "--pid", "--fork", "--kill-child"]
        entering = ["sh", "-c", ENTER, "enter", str(self.root), user, group]
        return ["unshare", *namespaces, *entering, *command]

    def _environment(self, more: Mapping[str, str]) -> dict[str, str]:
        own = dict(line.split("=", 1) for line in self.configuration["Env"])
        return own | dict(more)


@dataclass(frozen=True, slots=True)
class Service:
    """A container that runs. `process` is the one that waits outside for PID 1."""

    process: subprocess.Popen[str]

    def terminate(self) -> None:
        """What `docker stop` sends to PID 1."""
        outside = self.process.pid
        children = (
            Path(f"/proc/{outside}/task/{outside}/children").read_text(encoding="utf-8").split()
        )
        os.kill(int(children[0]), signal.SIGTERM)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()
