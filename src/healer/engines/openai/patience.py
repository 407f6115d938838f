"""How long, and how often, a server is asked."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Patience:
    """Times in seconds. `timeout` is the longest silence, and how long anything is tried again;
    after `threshold` failures in a row the server has `rest`."""

    timeout: float = 60.0
    attempts: int = 4
    wait: float = 0.2
    jitter: float = 0.5
    threshold: int = 5
    rest: float = 15.0
