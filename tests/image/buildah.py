"""Debian's buildah: images without a container engine, in a storage of our own."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from itertools import zip_longest
from pathlib import Path
from typing import Any

NOBODY_ELSE = 'unqualified-search-registries = ["docker.io"]\n'


@dataclass(frozen=True, slots=True)
class Built:
    """A build's outcome; `reused` are the instructions whose layer was taken from an earlier one,
    `made` those that were run."""

    log: str
    seconds: float
    returncode: int
    reused: tuple[str, ...]
    made: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Order:
    """What to build, and with what. `mounts` are folders of this machine that RUN may read;
    `caches` holds what cache mounts keep, where that is not to be what earlier runs left."""

    tag: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, Path] = field(default_factory=dict)
    mounts: tuple[Path, ...] = ()
    target: str | None = None
    contexts: Mapping[str, str] = field(default_factory=dict)
    caches: Path | None = None


class Buildah:
    """`folder` keeps storage and build caches, for the next run to find."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._temporary = folder / "tmp"
        self._temporary.mkdir(parents=True, exist_ok=True)
        registries = folder / "registries.conf"
        registries.write_text(NOBODY_ELSE)
        self._environment = {
            **os.environ,
            "TMPDIR": str(self._temporary),
            "CONTAINERS_REGISTRIES_CONF": str(registries),
        }

    @cached_property
    def driver(self) -> str:
        """overlay where the machine can, vfs (slow, large) elsewhere."""
        for driver in ("overlay", "vfs"):
            completed = subprocess.run(
                [*self._command(driver), "info"], check=False, capture_output=True
            )
            if completed.returncode == 0:
                return driver
        raise AssertionError(completed.stderr.decode())

    def _command(self, driver: str) -> list[str]:
        storage = self.folder / driver
        places = ["--root", str(storage / "root"), "--runroot", str(storage / "run")]
        return ["buildah", *places, "--storage-driver", driver]

    @property
    def storage(self) -> Path:
        return self.folder / self.driver / "root"

    def run(self, *arguments: str) -> str:
        command = [*self._command(self.driver), *arguments]
        done = subprocess.run(
            command, check=False, capture_output=True, text=True, env=self._environment
        )
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}{done.stderr}"
        return done.stdout.strip()

    def has(self, name: str) -> bool:
        return any(name in (image["names"] or ()) for image in self.images())

    def images(self) -> list[dict[str, Any]]:
        """Those that have a name, and those that only keep a layer, the newest first."""
        found: list[dict[str, Any]] = json.loads(self.run("images", "--all", "--json") or "null")
        return sorted(found or [], key=lambda image: image["createdatraw"], reverse=True)

    @contextmanager
    def passing(self) -> Iterator[None]:
        """Images that are made meanwhile are removed at the end."""
        before = {image["id"] for image in self.images()}
        try:
            yield
        finally:
            made = [image["id"] for image in self.images() if image["id"] not in before]
            if made:
                self.run("rmi", "--force", *made)

    def forget_beyond(self, most_bytes: float) -> None:
        """Remove everything where earlier runs left more than that."""
        if self.storage.exists() and disk_usage(self.storage) > most_bytes:
            self.run("rmi", "--all", "--force")

    def build(self, context: Path, order: Order) -> Built:
        """Fails only where buildah cannot be started; a build that fails is an outcome."""
        command = [*self._command(self.driver), "bud", "--isolation", "chroot"]
        # A build that fails would leave its container, and in it the secret.
        command += ["--force-rm", "--pull-never", "--format", "docker", "--layers"]
        command += ["--tag", order.tag]
        command += [f"--build-arg={name}={value}" for name, value in order.arguments.items()]
        command += [f"--secret=id={name},src={path}" for name, path in order.secrets.items()]
        command += [f"--volume={folder}:{folder}:ro" for folder in order.mounts]
        command += [f"--build-context={name}={where}" for name, where in order.contexts.items()]
        command += ["--target", order.target] if order.target else []
        environment = self._environment | ({"TMPDIR": str(order.caches)} if order.caches else {})
        started = time.monotonic()
        done = subprocess.run(
            [*command, str(context)],
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=environment,
        )
        seconds = time.monotonic() - started
        reused, made = steps_of(done.stdout)
        return Built(done.stdout, seconds, done.returncode, reused, made)

    def configuration(self, image: str) -> dict[str, Any]:
        inspected = json.loads(self.run("inspect", "--type", "image", image))
        found: dict[str, Any] = inspected["Docker"]["config"]
        return found

    def archive(self, image: str, target: Path) -> Path:
        target.unlink(missing_ok=True)
        self.run("push", "--quiet", image, f"docker-archive:{target}")
        return target

    @contextmanager
    def mounted(self, image: str) -> Iterator[Path]:
        """The image's files, in a folder; what is written there does not reach the image."""
        container = self.run("from", "--pull-never", image)
        try:
            yield Path(self.run("mount", container))
        finally:
            self.run("umount", container)
            self.run("rm", container)


def disk_usage(folder: Path) -> int:
    command = ["du", "--summarize", "--block-size=1", str(folder)]
    return int(subprocess.run(command, check=True, capture_output=True).stdout.split()[0])


STEP = re.compile(r"^(?:\[(\d+)/\d+\] )?STEP (\d+)/(\d+): ", re.MULTILINE)
DONE = re.compile(r"^(--> Using cache \w+\n)?--> \w+$", re.MULTILINE)


def steps_of(log: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The COPY and RUN steps of a log that were reused, and those that were made.

    A step that waits for another stage is logged as done after that stage's own steps, and then
    the next step of its stage begins: the last line before a step is of the one before it.
    """
    parts = iter(STEP.split(log)[1:])
    steps = list(zip(parts, map(int, parts), map(int, parts), parts, strict=True))
    cached: dict[tuple[str, int], str] = {}
    for (stage, number, last, text), following in zip_longest(steps, steps[1:]):
        done = DONE.findall(text)
        if done and number == last:
            cached[stage, number] = done[0]
        if done and following:
            cached[following[0], following[1] - 1] = done[-1]
    found: dict[bool, list[str]] = {True: [], False: []}
    for stage, number, _, text in steps:
        if text.startswith(("COPY", "RUN")):
            found[bool(cached.get((stage, number)))].append(text.splitlines()[0])
    return tuple(found[True]), tuple(found[False])
