"""Debian's Orthanc with its DICOMweb plugin, on a free port and in a folder of its own."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

PLUGINS = Path("/usr/share/orthanc/plugins")
USER, PASSWORD = "healer", "CANARY-secret"
START_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Orthanc:
    port: int
    folder: Path
    login: tuple[str, str] = (USER, PASSWORD)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def dicomweb(self) -> str:
        return f"{self.address}/dicom-web"

    def rest(self, method: str, path: str, content: bytes | None = None) -> httpx.Response:
        reply = httpx.request(
            method, self.address + path, content=content, auth=self.login, timeout=60
        )
        reply.raise_for_status()
        return reply

    def add(self, files: Sequence[Path]) -> None:
        for file in files:
            self.rest("POST", "/instances", file.read_bytes())

    def instances(self) -> list[str]:
        """SOP instance UIDs of everything it holds."""
        found = self.rest("GET", "/instances?expand").json()
        return sorted(each["MainDicomTags"]["SOPInstanceUID"] for each in found)

    def file(self, sop_instance_uid: str) -> bytes:
        (found,) = self.rest("POST", "/tools/lookup", sop_instance_uid.encode()).json()
        return self.rest("GET", f"/instances/{found['ID']}/file").content


def executable() -> str:
    found = shutil.which("Orthanc", path="/usr/sbin:/usr/bin:/usr/local/sbin:/usr/local/bin")
    if not found or not any(PLUGINS.glob("libOrthancDicomWeb*")):
        pytest.skip("needs Orthanc and its DICOMweb plugin: .ci/install")
    return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def running(
    folder: Path,
    port: int | None = None,
    login: tuple[str, str] = (USER, PASSWORD),
    **options: object,
) -> Iterator[Orthanc]:
    """Started again in the same folder, it holds what it held."""
    program = executable()
    folder.mkdir(exist_ok=True)
    server = Orthanc(port or free_port(), folder, login)
    config = {
        "Name": "healer tests",
        "StorageDirectory": str(folder / "storage"),
        "IndexDirectory": str(folder / "storage"),
        "HttpPort": server.port,
        "DicomServerEnabled": False,
        "RemoteAccessAllowed": False,
        "AuthenticationEnabled": True,
        "RegisteredUsers": dict([login]),
        "Plugins": [str(next(PLUGINS.glob("libOrthancDicomWeb*")))],
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/", "StudiesMetadata": "Full"},
        **options,
    }
    place = folder / "orthanc.json"
    place.write_text(json.dumps(config))
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen([program, str(place)], stdout=log, stderr=log)
        try:
            _wait(server, process)
            yield server
        finally:
            process.terminate()
            process.wait(30)


def _wait(server: Orthanc, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end:
        try:
            server.rest("GET", "/system")
        except httpx.TransportError:
            if process.poll() is not None:
                break
            time.sleep(0.1)
        else:
            return
    log = (server.folder / "log").read_text(errors="replace")[-2000:]
    raise RuntimeError(f"Orthanc does not start: {log}")
