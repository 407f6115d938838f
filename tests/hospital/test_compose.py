"""compose.hospital.yaml's two services as two processes, with the settings that stand in it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

pytest.importorskip("highdicom", reason="watching needs healer[hospital]")
pytest.importorskip("openslide", reason="whole slides need healer[slides]")

from tests.conftest import REPO
from tests.hospital.orthanc import Orthanc, free_port, running
from tests.hospital.test_watch_orthanc import (
    RESULTS,
    files_of,
    health,
    results,
    series,
    until,
)

DEFAULT = re.compile(r"\$\{\w+:-([^}]*)\}")
PORTS = ("8042", "8081")


def services() -> Any:  # noqa: ANN401 - YAML
    """As they are where nothing is set."""
    text = (REPO / "compose.hospital.yaml").read_text(encoding="utf-8")
    return yaml.safe_load(DEFAULT.sub(r"\1", text))["services"]


def archive_options(environment: dict[str, str]) -> dict[str, Any]:
    """`ORTHANC__REGISTERED_USERS` is RegisteredUsers in Orthanc's own configuration."""
    own = {
        name.removeprefix("ORTHANC__").title().replace("_", ""): json.loads(value)
        for name, value in environment.items()
        if name.startswith("ORTHANC__")
    }
    return {**own, "DicomWeb": {"Enable": environment["DICOM_WEB_PLUGIN_ENABLED"] == "true"}}


def watch_command(words: list[str], server: Orthanc, out: Path, port: int) -> list[str]:
    """On other ports and in another folder, and without its patience."""
    moved = dict(zip(PORTS, (str(server.port), str(port)), strict=True))
    text = "\n".join(words).replace("/data", str(out)).replace("0.0.0.0", "127.0.0.1")  # noqa: S104
    words = re.sub("|".join(PORTS), lambda found: moved[found[0]], text).split("\n")
    return [sys.executable, "-m", "healer", *words, "--settle=0", "--every=1"]


def test_the_archive_and_the_watch_work_together(tmp_path: Path) -> None:
    archive, watch = services()["orthanc"], services()["watch"]
    options = archive_options(archive["environment"])
    (user, password), *_ = dict(options["RegisteredUsers"]).items()
    at = free_port()
    with running(tmp_path / "orthanc", login=(user, password), **options) as server:
        server.add(files_of(series(tmp_path / "series")))
        process = subprocess.Popen(
            watch_command(watch["command"], server, tmp_path / "out", at),
            env={**os.environ, **watch["environment"]},
        )
        try:
            until(lambda: "'done': 1" in str(health(at)))
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
        assert {each.Modality for each in results(server)} == RESULTS
