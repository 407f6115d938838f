"""The disk"""

from __future__ import annotations

import shutil
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from healer.audit.chain import verify
from healer.audit.store import PAUSE_SECONDS, Store
from tests.engines.openvino.conftest import convert
from tests.faults.fault import Fault, Shown, shows
from tests.faults.service import until
from tests.faults.supervised import Supervised, supervised

SIZE = "1m"
MOUNT = 'mount -t tmpfs -o size=$0 tmpfs disk && exec "$@"'
FILL = ["sh", "-c", 'head -c 2m /dev/zero > disk/filler; exec "$0" "$@"']


@pytest.fixture
def small_disk(tmp_path: Path) -> list[str]:
    """What, put before a command, lets it see a disk of SIZE in its folder `disk`."""
    (tmp_path / "disk").mkdir()
    before = ["unshare", "--mount", "--map-root-user", "sh", "-c", MOUNT, SIZE]
    try:
        tried = subprocess.run([*before, "true"], cwd=tmp_path, check=False, capture_output=True)
    except FileNotFoundError:
        pytest.skip("there is no unshare here")
    if tried.returncode:
        pytest.skip("no disk can be mounted here, not even in a namespace of our own")
    return before


def fill(disk: Path) -> Path:
    """To the last byte."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as stream:
        for size in (4096, 1):
            try:
                while True:
                    stream.write(bytes(size))
            except OSError:
                continue
    return filler


def disk_of(server: Supervised) -> Path:
    return Path(f"/proc/{server.pid}/root") / server.folder.relative_to("/") / "disk"


@shows(
    Fault(
        "The audit log's disk is full",
        "SQLite on a disk without a byte left",
        status=503,
        code="audit_unavailable",
        retry_after=5,
        health="the audit log cannot be written (audit_unavailable)",
        recovery=f"room on that disk; it is tried again after {PAUSE_SECONDS:g} s",
        also="With `HEALER_AUDIT_FAILURE=degrade` it is a 200 that says `recorded: false`. The "
        "log stays whole.",
    )
)
def test_the_audit_logs_disk_is_full(shown: Shown, tmp_path: Path, small_disk: list[str]) -> None:
    audit = f"sqlite:///{tmp_path}/disk/audit.db"
    with supervised(tmp_path, before=small_disk, HEALER_AUDIT=audit) as server:
        answered = [server.predict().json()["request_id"]]
        disk = disk_of(server)
        filler = fill(disk)
        refused = server.predict()
        shown.client(refused)
        shown.probes(server.get)
        filler.unlink()
        until(lambda: server.predict().status_code == 200)
        again = server.predict()
        shown.recovered(again)
        answered.append(again.json()["request_id"])
        copy = shutil.copytree(disk, tmp_path / "copy")  # SQLite itself would open our own /
    with closing(Store(f"sqlite:///{copy}/audit.db")) as store:
        links = list(store.links())
    verify(links)
    stored = [link.content["request_id"] for link in links]
    assert set(answered) <= set(stored)
    assert refused.json()["request_id"] not in stored


@shows(
    Fault(
        "The log's disk is full",
        "standard error is `/dev/full`",
        status=200,
        recovery="room on that disk; what was to be logged meanwhile is lost",
        also="A model that hangs ends the process all the same.",
    )
)
def test_the_logs_disk_is_full(shown: Shown, hasty: Supervised) -> None:
    shown.client(hasty.predict())
    shown.probes(hasty.get)
    assert hasty.get("/nothing").status_code == 404
    shown.recovered(hasty.predict())


@shows(
    Fault(
        "The disk for compiled graphs is full",
        "HEALER_ENGINE=openvino, and not a byte left beside its folder",
        status=200,
        recovery="room on that disk, for the next start to be as quick as it can be",
        also="Uploads and the image cache are in memory, never on a disk.",
    )
)
def test_the_compiled_graphs_disk_is_full(
    shown: Shown, tmp_path: Path, small_disk: list[str], checkpoint: Path
) -> None:
    pytest.importorskip("openvino")
    model = convert(checkpoint, tmp_path / "model")
    (tmp_path / "model-compiled").symlink_to(tmp_path / "disk")
    with supervised(
        tmp_path,
        command=["healer", "serve"],
        before=[*small_disk, *FILL],
        MODEL_DIR=str(model),
        HEALER_ENGINE="openvino",
        HEALER_GATE="off",
    ) as server:
        shown.client(server.predict())
        shown.probes(server.get)
        assert [file.name for file in disk_of(server).iterdir()] == ["filler"]
        shown.recovered(server.predict())
