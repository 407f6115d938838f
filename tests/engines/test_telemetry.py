from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

SCORE = """
from healer.engines.builtin.engine import BuiltinEngine
from healer.screening.screener import known_tile
BuiltinEngine(threads=1).score([known_tile()])
"""
# Under any of these its telemetry is off by itself.
CI = ("CI", "GITHUB_ACTIONS", "TF_BUILD", "BUILD_ID", "ORT_DISABLE_TELEMETRY")


def test_onnx_runtime_collects_no_telemetry(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in CI}
    cache = {"XDG_CACHE_HOME": str(tmp_path), "HOME": str(tmp_path)}
    subprocess.run([sys.executable, "-c", SCORE], env={**environment, **cache}, check=True)
    assert list(tmp_path.iterdir()) == []  # neither its device identifier nor its queue
