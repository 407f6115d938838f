"""Does `healer optimize` stay within a limit of memory? Needs root, for a cgroup.

python -m benchmarks.conversion CHECKPOINT [--limit 13G]

Converts into `openvino-limited` beside the checkpoint, with one tile, and removes it again. The
pages of the checkpoint's mapped files count as in a container, and can be given back at any time.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psutil

from benchmarks.processes import make_memory_limit, parse_size

GIB = 1024**3
PAUSE = 0.2  # seconds between samples of the memory


def main(checkpoint: Path, limit: int) -> int:
    out = checkpoint / "openvino-limited"
    command = [sys.executable, "-m", "healer", "optimize", str(checkpoint), "--out", str(out)]
    started = time.monotonic()
    with make_memory_limit(limit) as memory_limit:
        process = subprocess.Popen(memory_limit.command(command))  # noqa: S603 - ourselves
        anonymous = most_anonymous(process)
        kills = memory_limit.kills
    minutes = (time.monotonic() - started) / 60
    shutil.rmtree(out, ignore_errors=True)
    sys.stdout.write(
        f"limit {limit / GIB:.1f} GiB, exit status {process.returncode}, killed {kills} times, "
        f"most anonymous memory {anonymous / GIB:.2f} GiB, {minutes:.1f} minutes\n"
    )
    return process.returncode


def most_anonymous(process: subprocess.Popen[bytes]) -> int:
    """Bytes that no file backs, the most in any sample until it ends."""
    watched, most = psutil.Process(process.pid), 0
    while process.poll() is None:
        try:
            memory = watched.memory_info()
        except psutil.NoSuchProcess:
            break
        most = max(most, memory.rss - memory.shared)
        time.sleep(PAUSE)
    process.wait()
    return most


if __name__ == "__main__":
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("checkpoint", type=Path)
    arguments.add_argument("--limit", type=parse_size, default=parse_size("13G"))
    given = arguments.parse_args()
    sys.exit(main(given.checkpoint.resolve(), given.limit))
