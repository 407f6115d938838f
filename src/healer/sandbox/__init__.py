"""Bytes to a tile that has been through the gate: in a process of its own, or in this one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from healer.images.decode import decode
from healer.quality.gate import GATE, LoadedTile, refusal

if TYPE_CHECKING:
    from healer.settings.model import GateMode


def load_tile(data: bytes, mode: GateMode, max_pixels: int, page: int | None = None) -> LoadedTile:
    """Raises `healer.errors.ImageError`, and ImageNotAssessable where `mode` says refuse."""
    started = time.perf_counter()
    tile = decode(data, max_pixels=max_pixels, page=page)
    decoded = time.perf_counter()
    report = None if mode == "off" else GATE.assess(tile)
    if report is not None and report.reasons and mode == "refuse":
        raise refusal(report)
    timings = {"decode": decoded - started, "gate": time.perf_counter() - decoded}
    return LoadedTile(tile, report, timings)
