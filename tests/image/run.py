"""The image, built and run for real: `scripts/test-image`."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from filelock import FileLock
from PIL import Image

from healer.screening.screener import known_tile
from tests.conftest import REPO
from tests.image import archive, bases, checks
from tests.image.buildah import Buildah, Built, Order
from tests.image.container import Container

CHANGED = Path("src/healer/server/routes.py")
MOST_BYTES = 30e9  # of layers, before they are all made again
TOOLS = ("buildah", "debootstrap", "git", "node", "npm", "unshare")


def missing() -> str | None:
    """Why no image can be built here."""
    if os.geteuid() != 0:
        return "building images needs root"
    if not (REPO / ".git").exists():
        return "this is no git checkout, which lists what belongs in the image"
    absent = [tool for tool in TOOLS if shutil.which(tool) is None]
    return f"not installed: {', '.join(absent)}" if absent else None


def cache() -> Path:
    """Bases and layers, kept between runs; safe to delete."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return home / "healer" / "image"


def say(*lines: str) -> None:
    print(*lines, sep="\n", flush=True)  # noqa: T201 - it is what this prints


@dataclass(frozen=True, slots=True)
class Bench:
    """Where images are built: buildah, a copy of the checkout, and the arguments of builds."""

    buildah: Buildah
    context: Path
    scratch: Path

    def order(self, tag: str, with_model: str, **more: str) -> Order:
        fields = {
            "WITH_MODEL": with_model,
            "PYTHON_VERSION": bases.PYTHON_VERSION,
            "NODE_VERSION": bases.node_version(),
        }
        return Order(tag, fields | more, mounts=bases.pip_folders())

    def build(self, order: Order) -> Built:
        built = self.buildah.build(self.context, order)
        assert built.returncode == 0, built.log
        return built

    def change_code(self) -> None:
        path = self.context / CHANGED
        path.write_text(f"{path.read_text(encoding='utf-8')}\n# changed at {time.time_ns()}\n")


@contextmanager
def bench() -> Iterator[Bench]:
    """One at a time: two would forget each other's layers."""
    place = cache()
    place.mkdir(parents=True, exist_ok=True)
    with FileLock(place / "lock"), tempfile.TemporaryDirectory() as scratch:
        buildah = Buildah(place)
        buildah.forget_beyond(MOST_BYTES)
        bases.make(buildah)
        context = Path(scratch) / "context"
        copy_checkout(context)
        yield Bench(buildah, context, Path(scratch))


def copy_checkout(target: Path) -> None:
    """What git tracks or would, as it is in the working tree, times included."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=REPO, check=True, capture_output=True, text=True).stdout
    for name in filter(None, listed.split("\0")):
        if (REPO / name).is_file():
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(REPO / name, target / name)


def light(at: Bench) -> None:
    """The image without MedGemma: built, rebuilt after a change of code, run, stopped."""
    say("== WITH_MODEL=none")
    order = at.order("localhost/healer:light", "none")
    built = at.build(order)
    say(f"build: {built.seconds:.0f} s, {len(built.made)} steps made, {len(built.reused)} reused")
    with at.buildah.passing():
        show_rebuild(at, order)
        show_sizes(at, order.tag)
        show_run(at, order.tag, real_tile(), gate="refuse")


def show_rebuild(at: Bench, order: Order) -> None:
    at.change_code()
    built = at.build(order)
    checks.check_reuse(built)
    say(f"rebuild after a change of {CHANGED}: {built.seconds:.0f} s")
    steps = len(built.reused) + len(built.made)
    reused = "packages, page, model, bill of materials"  # as check_reuse found
    say(f"  reused  {len(built.reused)} of {steps} steps: {reused}")
    say(*(f"  made    {step[:88]}" for step in built.made))


def show_sizes(at: Bench, tag: str) -> None:
    layers = archive.layers(at.buildah.archive(tag, at.scratch / "image.tar"))
    say(f"image: {sum(layer.size for layer in layers) / 1e6:,.0f} MB unpacked, by layer:")
    say(*(f"  {layer.size / 1e6:8,.1f} MB  {layer.instruction[:88]}" for layer in layers))


def show_run(at: Bench, tag: str, picture: bytes, gate: str) -> None:
    configuration = at.buildah.configuration(tag)
    with at.buildah.mounted(tag) as root:
        container = Container(root, configuration)
        seen = checks.check_surroundings(container)
        say(
            f"runs as {seen['uid']}:{seen['gid']}, capabilities {seen['capabilities']}, "
            f"no new privileges; writing to / says: {seen['root']}"
        )
        kinds = checks.check_contents(container, configuration)
        say("bill of materials: " + ", ".join(f"{n} {kind}" for kind, n in kinds.items()))
        say("no compiler; healer doctor:", *checks.check_doctor(container))
        with checks.running(container) as started:
            answer = checks.check_answers(started, picture, gate)
            model = answer["model"]
            say(f"POST /predict: {answer['verdict']} by {model['engine']} ({model['id']})")
            tally = checks.check_stopping(started, picture, gate)
    outcomes = ", ".join(f"{count} {outcome}" for outcome, count in sorted(tally.items()))
    say(f"SIGTERM under load: {outcomes}, 0 lost; the process ended with 0")


def real_tile() -> bytes:
    """A real one where there is test data, a drawn one elsewhere."""
    data = Path(os.environ.get("HEALER_TEST_DATA", REPO.parent / "shared" / "data"))
    real = data / "samples" / "nct-TUM-AACHEHDV.png"
    return real.read_bytes() if real.is_file() else png(known_tile().pixels)


def png(pixels: object) -> bytes:
    buffer = BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")  # type: ignore[arg-type]
    return buffer.getvalue()
