from __future__ import annotations

import re
import subprocess

from tests.conftest import REPO


def test_every_path_that_it_names_is_there() -> None:
    script = (REPO / "scripts" / "test-fast").read_text(encoding="utf-8")
    patterns = re.findall(r"tests/\S+", script)
    assert len(patterns) > 4
    listing = subprocess.run(
        ["bash", "-c", f"ls -d {' '.join(patterns)}"],  # noqa: S607
        cwd=REPO,
        capture_output=True,
        text=True,
        check=False,
    )
    assert listing.stderr == ""
