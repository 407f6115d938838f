from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from healer.engines.builtin.runtime import Runtime

SCORE = """
from healer.engines.builtin.engine import BuiltinEngine
from healer.engines.builtin.runtime import INT8_FOLDER, MODEL_FOLDER, Runtime
from healer.screening.screener import known_tile
BuiltinEngine(1, {folder}, runtime=Runtime.{runtime}).score([known_tile()])
"""
# Under any of these its telemetry is off by itself.
CI = ("CI", "GITHUB_ACTIONS", "TF_BUILD", "BUILD_ID", "ORT_DISABLE_TELEMETRY")


@pytest.mark.parametrize(
    ("runtime", "folder"), [("ONNX", "MODEL_FOLDER"), ("OPENVINO", "INT8_FOLDER")]
)
def test_runtimes_collect_no_telemetry(runtime: str, folder: str, tmp_path: Path) -> None:
    pytest.importorskip(Runtime[runtime].value)
    score = SCORE.format(runtime=runtime, folder=folder)
    environment = {name: value for name, value in os.environ.items() if name not in CI}
    cache = {"XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", score], env={**environment, **cache}, check=True)
    assert list(tmp_path.iterdir()) == []  # neither its device identifier nor its queue
