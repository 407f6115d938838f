"""The page's own unit tests, which Vitest runs."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.conftest import REPO


def test_the_pages_logic() -> None:
    npm = shutil.which("npm")
    if npm is None or not (REPO / "frontend" / "node_modules").is_dir():
        pytest.skip("Vitest is not installed here: scripts/page installs it where Node.js is")
    arguments = [npm, "exec", "--", "vitest", "run"]
    done = subprocess.run(
        arguments, check=False, capture_output=True, text=True, cwd=REPO / "frontend"
    )
    assert done.returncode == 0, done.stdout + done.stderr
