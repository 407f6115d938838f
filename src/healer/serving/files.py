"""How many connections the process may have open, of all its files."""

from __future__ import annotations

import sys

BURST = 512  # connections that are accepted in one go, before others can be closed for them
OWN = 100  # files: the log, the audit log, decoders and what starting another takes


def room_for(connections: int) -> int:
    """So many, or as many as the system allows; the process's own limit is raised to that."""
    if sys.platform == "win32":
        return connections
    import resource

    wanted = connections + BURST + OWN
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    if soft != resource.RLIM_INFINITY and soft < most:
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    return max(1, min(connections, most - BURST - OWN))
