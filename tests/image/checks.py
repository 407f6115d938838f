"""What must hold of a built image. Each check asserts, and returns the figures that it saw."""

from __future__ import annotations

import json
import platform
import socket
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2 as httpx

from tests.image.buildah import Built
from tests.image.container import Container, Service
from tests.image.load import TIMEOUT, Upload, stop_under_load

DOCUMENTS = Path("usr/share/doc/healer")
COMPILERS = ("cc", "c99", "gcc", "g++", "clang", "tcc", "as", "ld", "make")
ABOUT = """
import json, os, pathlib
def refused(path):
    try: pathlib.Path(path).write_text("x")
    except OSError as error: return error.strerror
status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines())
print(json.dumps({"uid": os.getuid(), "gid": os.getgid(), "groups": os.getgroups(),
    "capabilities": int(status["CapEff"], 16) | int(status["CapBnd"], 16),
    "no_new_privileges": status["NoNewPrivs"],
    "root": refused("/x"), "code": refused("/opt/venv/x"), "tmp": refused("/tmp/x")}))
"""

OPEN = {"HEALER_UNAUTHENTICATED": "anyone-may-ask"}
WHICH = "import shutil, sys; print([name for name in sys.argv[1:] if shutil.which(name)])"


@dataclass(frozen=True, slots=True)
class Running:
    container: Container
    service: Service
    port: int
    log: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str) -> dict[str, Any]:
        found: dict[str, Any] = httpx.get(f"{self.url}{path}", timeout=TIMEOUT).json()
        return found


@contextmanager
def running(container: Container) -> Iterator[Running]:
    """The image's own command, on a port that PORT names, once it is ready."""
    port = free_port()
    with tempfile.NamedTemporaryFile("w+", encoding="utf-8", suffix=".log") as log:
        service = container.start(log, environment={"PORT": str(port), **OPEN})
        try:
            found = Running(container, service, port, Path(log.name))
            wait_until_ready(found)
            yield found
        finally:
            service.kill()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port


def wait_until_ready(started: Running) -> None:
    while started.service.process.poll() is None:
        try:
            if httpx.get(f"{started.url}/ready").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.05)
    raise AssertionError(started.log.read_text(encoding="utf-8"))


def check_surroundings(container: Container) -> dict[str, Any]:
    """Nobody in particular, without capabilities, on a root that cannot be written."""
    done = container.run(["python3", "-c", ABOUT])
    assert done.returncode == 0, done.stderr
    seen: dict[str, Any] = json.loads(done.stdout)
    assert (seen["uid"], seen["gid"], seen["groups"]) == (10001, 10001, [])
    assert (seen["capabilities"], seen["no_new_privileges"]) == (0, "1")
    assert (seen["root"], seen["code"]) == ("Read-only file system",) * 2
    assert seen["tmp"] is None
    return seen


def check_contents(container: Container, configuration: dict[str, Any]) -> dict[str, Any]:
    """Licences, bill of materials and labels; no tool that only the build needs."""
    documents = container.root / DOCUMENTS
    assert "HAI-DEF is provided under" in (documents / "NOTICE").read_text(
        encoding="utf-8"
    ).replace("\n", " ")
    assert "Apache License" in (documents / "LICENSE").read_text(encoding="utf-8")
    bom = json.loads((documents / "sbom.cdx.json").read_text(encoding="utf-8"))
    kinds = Counter(each.get("purl", "model:").split("/")[0] for each in bom["components"])
    assert bom["bomFormat"] == "CycloneDX"
    assert {"pkg:pypi", "pkg:deb", "pkg:npm"} <= set(kinds)
    assert configuration["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert configuration["Entrypoint"] == ["healer"]
    for library in ("engines/openvino/libkernels.so", "quality/libgate.so"):
        kernel = f"opt/venv/lib/python3*/site-packages/healer/{library}"
        assert platform.machine() != "x86_64" or list(container.root.glob(kernel)), library
    found = [path.name for path in container.root.glob("opt/venv/lib/python3*/site-packages/*")]
    assert not {"torch", "transformers", "pip", "pytest"} & set(found)
    completed = container.run(["python3", "-c", WHICH, *COMPILERS])
    assert (completed.returncode, completed.stdout) == (0, "[]\n"), completed
    return dict(kinds)


def check_doctor(container: Container) -> list[str]:
    """All is well, and the attention kernel was compiled; the lines on the model."""
    done = container.run(["healer", "doctor"], COLUMNS="200")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "it was not compiled" not in done.stdout, done.stdout
    assert "cannot be loaded here" not in done.stdout, done.stdout
    lines = done.stdout.splitlines()
    return [f"  {line}" for line in lines if line.startswith(("attention", "engine"))]


def check_answers(started: Running, picture: bytes, gate: str) -> dict[str, Any]:
    """A tile is answered, a browser gets the page, and the health check agrees."""
    assert started.get("/health")["ready"] is True
    assert started.get("/ready") == {"ready": True}
    form = {"image_file": ("tile.png", picture)}
    answer = httpx.post(f"{started.url}/predict", files=form, data={"gate": gate}, timeout=TIMEOUT)
    assert answer.status_code == 200, answer.text
    page = httpx.get(started.url, headers={"Accept": "text/html"}, timeout=TIMEOUT).text
    assert "/page/assets/" in page, "the built page is not in the image"
    terms = httpx.get(f"{started.url}/page/licences.txt", timeout=TIMEOUT)
    assert "react-dom" in terms.text, "the licences of the page's packages are not in the image"
    assert any(probe(started) == 0 for _ in range(10)), "it has 4 seconds, and others may be busy"
    found: dict[str, Any] = answer.json()
    return found


def probe(started: Running) -> int:
    """What HEALTHCHECK's command exits with."""
    _, *command = started.container.configuration["Healthcheck"]["Test"]
    return started.container.run(command, PORT=str(started.port)).returncode


def check_stopping(started: Running, picture: bytes, gate: str) -> Counter[str]:
    """SIGTERM under load: all are answered or refused with Retry-After, and the process ends."""
    upload = Upload(started.port, picture, gate)
    tally = stop_under_load(upload, started.service.terminate)
    assert started.service.process.wait(TIMEOUT) == 0, started.log.read_text(encoding="utf-8")
    assert tally["lost"] == 0, tally
    assert tally["answered"] > 0
    assert tally["refused"] > 0
    assert "Traceback" not in started.log.read_text(encoding="utf-8")
    assert probe(started) == 1
    return tally


def check_reuse(built: Built) -> None:
    """A change of code alone: dependencies and model are the layers they were."""
    assert built.returncode == 0, built.log
    for stage in ("dependencies", "model", "sbom"):
        expected = f"COPY --from={stage} "
        assert any(step.startswith(expected) for step in built.reused), (expected, built.made)
    costly = ("-r /pins/", "apt-get", "pins.py", "./acquire", "npm", "cyclonedx")
    again = [step for step in built.made if any(word in step for word in costly)]
    assert not again, again
