"""`.ci/install`, in a tree of its own; its apt-get only makes what a package would bring."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import REPO

BRINGS = {
    "chromium": "usr/bin/chromium",
    "postgresql": "usr/lib/postgresql/15/bin/initdb",
    "prometheus": "usr/bin/promtool",
    "poppler-utils": "usr/bin/pdftotext",
    "nginx-light": "usr/sbin/nginx",
    "redis-server": "usr/bin/redis-server",
    "buildah": "usr/bin/buildah",
    "debootstrap": "usr/sbin/debootstrap",
    "util-linux": "usr/bin/unshare",
    "gcc": "usr/bin/cc",
    "orthanc": "usr/sbin/Orthanc",
    "dcmtk": "usr/bin/dsrdump",
    "dicom3tools": "usr/bin/dciodvfy",
    "orthanc-dicomweb": "usr/share/orthanc/plugins/libOrthancDicomWeb.so",
    "libc6-dev": "usr/include/stdio.h",
}
APT = """#!/bin/sh
echo "$*" >> "$HEALER_TEST_ROOT/requested"
case "$*" in *update*) exit ${UPDATE:-0};; esac
for name; do
    [ "$name" != "${UNKNOWN:-}" ] || { echo "E: Unable to locate package $name"; exit 100; }
done
for name; do
    made=$(grep -s "^$name " "$HEALER_TEST_ROOT/brings" | cut -d" " -f2) || continue
    [ -n "$made" ] || continue
    mkdir -p "$(dirname "$HEALER_TEST_ROOT/$made")"
    touch "$HEALER_TEST_ROOT/$made"
    chmod +x "$HEALER_TEST_ROOT/$made"
done
[ -x "$HEALER_TEST_ROOT/usr/sbin/policy-rc.d" ] || echo "daemons" >> "$HEALER_TEST_ROOT/requested"
"""


class Machine:
    def __init__(self, root: Path) -> None:
        self.root, self._bin = root, root / "stubs"
        for folder in (self._bin, root / "etc", root / "usr" / "sbin"):
            folder.mkdir(parents=True)
        (root / "etc" / "os-release").write_text("NAME=x\nID=debian\n")
        (root / "brings").write_text("".join(f"{name} {at}\n" for name, at in BRINGS.items()))
        self.stub("apt-get", APT)
        self.become(0)

    def stub(self, name: str, text: str) -> None:
        (self._bin / name).write_text(text)
        (self._bin / name).chmod(0o755)

    def become(self, user: int) -> None:
        self.stub("id", f"#!/bin/sh\necho {user}\n")

    def have(self, *packages: str) -> None:
        for package in packages:
            path = self.root / BRINGS[package]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
            path.chmod(0o755)

    def install(self, **variables: str) -> str:
        """What is said."""
        done = subprocess.run(
            [REPO / ".ci" / "install"],
            check=False,
            env={
                "PATH": f"{self._bin}:{os.environ['PATH']}",
                "HEALER_TEST_ROOT": str(self.root),
                **variables,
            },
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout == ""
        assert not (self.root / "usr" / "sbin" / "policy-rc.d").exists()
        return done.stderr

    @property
    def requested(self) -> list[str]:
        path = self.root / "requested"
        return path.read_text(encoding="utf-8").splitlines() if path.exists() else []


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_where_all_is_there_it_does_and_says_nothing(machine: Machine) -> None:
    machine.have(*BRINGS)
    assert machine.install() == ""
    assert machine.requested == []


def test_what_is_missing_is_installed_at_once_and_no_daemon_started(machine: Machine) -> None:
    machine.have(*(BRINGS.keys() - {"postgresql", "nginx-light", "libc6-dev"}))
    output = machine.install()
    assert output == "Installing what tests need: postgresql nginx-light libc6-dev\n"
    assert machine.requested == [
        "-qq update",
        "-qq -y install --no-install-recommends postgresql nginx-light libc6-dev",
    ]
    assert machine.install() == ""


def test_a_package_that_cannot_be_had_keeps_no_other_away(machine: Machine) -> None:
    machine.have(*(BRINGS.keys() - {"chromium", "buildah"}))
    output = machine.install(UNKNOWN="chromium").splitlines()
    assert "E: Unable to locate package chromium" in output
    assert output[-1].endswith("will be skipped. On Debian: apt-get install chromium")
    assert (machine.root / BRINGS["buildah"]).exists()


def test_without_a_network_it_says_what_is_missing_and_goes_on(machine: Machine) -> None:
    machine.have(*(BRINGS.keys() - {"prometheus"}))
    assert machine.install(UPDATE="100").splitlines()[-1].endswith("apt-get install prometheus")
    assert machine.requested == ["-qq update"]


@pytest.mark.parametrize("elsewhere", ["not root", "not Debian"])
def test_elsewhere_it_says_what_is_missing_and_goes_on(machine: Machine, elsewhere: str) -> None:
    machine.have(*(BRINGS.keys() - {"gcc", "util-linux"}))
    if elsewhere == "not root":
        machine.become(1000)
    else:
        (machine.root / "etc" / "os-release").write_text("ID=fedora\n")
    assert machine.install() == (
        "Tests that need what is missing here will be skipped. "
        "On Debian: apt-get install util-linux gcc\n"
    )
    assert machine.requested == []


def test_ci_runs_it_first() -> None:
    lines = (REPO / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    first = next(line for line in lines if line.startswith((".ci/", "scripts/", "make")))
    assert first == ".ci/install"
