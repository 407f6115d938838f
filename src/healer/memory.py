"""How much memory this process may use: the machine's, or its container's limit."""

from __future__ import annotations

from pathlib import Path

import psutil

CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),  # cgroup v2
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),  # cgroup v1
)


def limit_bytes(limits: tuple[Path, ...] = CGROUP_LIMITS) -> int:
    machine = int(psutil.virtual_memory().total)
    return min([machine, *filter(None, map(_read, limits))])


def _read(limit: Path) -> int | None:
    try:
        return int(limit.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # absent, or "max"
        return None
