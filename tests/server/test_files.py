"""In processes of their own: a limit that was lowered cannot be raised again."""

from __future__ import annotations

import subprocess
import sys

import pytest

from healer.server.uvicorn_server import BURST, OWN_FILES

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows counts no files")

SCRIPT = """
import resource, sys
soft, hard, connections = map(int, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
from healer.server.uvicorn_server import connections_allowed
print(connections_allowed(connections), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.parametrize(
    ("soft", "hard", "connections", "room", "then"),
    [
        (256, 4096, 1000, 1000, 1000 + BURST + OWN_FILES),  # raised as far as it must be
        (256, 1024, 1000, 1024 - BURST - OWN_FILES, 1024),  # as far as it can be
        (256, 256, 1000, 1, 256),  # and one at least
        (4096, 4096, 1000, 1000, 4096),  # never lowered
    ],
)
def test_as_many_as_files_allow(
    soft: int, hard: int, connections: int, room: int, then: int
) -> None:
    command = [sys.executable, "-c", SCRIPT, str(soft), str(hard), str(connections)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert output.split() == [str(room), str(then)]
