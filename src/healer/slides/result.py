"""What was read in one tile of a slide."""

from __future__ import annotations

from dataclasses import dataclass

from healer.engines.base import Finding
from healer.screening.verdict import SecondAnswer
from healer.slides.geometry import Area


@dataclass(frozen=True, slots=True)
class TileResult:
    """`probability`, `verdict` and `second` are None where the tile was not scored: `reasons` are
    then the gate's codes, or `problem` the code of the error that kept it from being read.
    `tissue_mm2` is the tissue in its area, whatever other tiles cover; `warnings` are codes of what
    to know of a tile that was scored."""

    area: Area
    um_per_px: float
    probability: float | None
    verdict: str | None
    second: SecondAnswer | None
    findings: tuple[Finding, ...]
    reasons: tuple[str, ...]
    problem: str | None
    tissue_mm2: float
    warnings: tuple[str, ...] = ()
