"""From bytes to a tile that a model may be asked about."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from healer.errors import ImageNotAssessable
from healer.imaging import Tile, decode
from healer.screening.gate import Gate, GateReport

if TYPE_CHECKING:  # settings are slow to import, and a process that only reads images has none
    from healer.config import GateMode

GATE = Gate()


@dataclass(frozen=True, slots=True)
class Admitted:
    """`gate` is None where the gate was off; `timings` are seconds by stage."""

    tile: Tile
    gate: GateReport | None
    timings: dict[str, float]

    @property
    def unopposed(self) -> bool:
        """False where the gate advised against the picture."""
        return self.gate is None or self.gate.passed


def admit(data: bytes, mode: GateMode, max_pixels: int, page: int | None = None) -> Admitted:
    """Raises `healer.errors.ImageError`, and ImageNotAssessable where `mode` says refuse."""
    started = time.perf_counter()
    tile = decode(data, max_pixels=max_pixels, page=page)
    decoded = time.perf_counter()
    report = None if mode == "off" else GATE.assess(tile)
    if report is not None and report.reasons and mode == "refuse":
        raise refusal(report)
    timings = {"decode": decoded - started, "gate": time.perf_counter() - decoded}
    return Admitted(tile, report, timings)


def refusal(report: GateReport) -> ImageNotAssessable:
    return ImageNotAssessable(
        sentences=" ".join(reason.sentence for reason in report.reasons),
        reasons=tuple(asdict(reason) for reason in report.reasons),
    )
