"""The screening domain: tiles in, screenings out. Knows engines, not HTTP."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from healer.engines.base import Engine, EngineInfo, Evidence, Finding
from healer.errors import ModelUnsound
from healer.imaging.tile import Tile
from healer.screening.calibration import Calibration
from healer.screening.verdict import Verdict, decide


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a tile came to, before it is put in words."""

    evidence: Evidence
    verdict: Verdict
    seconds: float


@dataclass(frozen=True, slots=True)
class Screening:
    """A finished answer. `margin` and `mass` are the evidence's; `timings` are seconds by stage."""

    verdict: Verdict
    margin: float
    mass: float
    explanation: str
    findings: tuple[Finding, ...]
    timings: dict[str, float]

    @property
    def prediction(self) -> str:
        return f"{self.verdict.answer.capitalize()}. {self.explanation}"


@dataclass(frozen=True, slots=True)
class Screener:
    """An engine and, where there is one fitted for it, its calibration."""

    engine: Engine
    calibration: Calibration | None = None
    warnings: tuple[str, ...] = ()

    @property
    def info(self) -> EngineInfo:
        return self.engine.info

    def look(self, tiles: Sequence[Tile]) -> list[Look]:
        """One look per tile, in order; the verdict is known. Blocking."""
        started = time.perf_counter()
        evidences = self.engine.score(tiles)
        seconds = (time.perf_counter() - started) / max(1, len(tiles))
        for evidence in evidences:
            self._check(evidence)
        return [Look(seen, decide(seen, self.calibration), seconds) for seen in evidences]

    def explain(self, look: Look) -> Iterator[str]:
        """Pieces of one sentence for a verdict already given. Blocking between pieces."""
        return self.engine.explain(look.evidence, look.verdict.answer)

    def screen(self, tiles: Sequence[Tile]) -> list[Screening]:
        """One screening per tile, in order. Blocking."""
        return [self._explained(look) for look in self.look(tiles)]

    def _explained(self, look: Look) -> Screening:
        started = time.perf_counter()
        pieces = list(self.explain(look))
        return finish(look, pieces, time.perf_counter() - started)

    def _check(self, evidence: Evidence) -> None:
        if not (math.isfinite(evidence.margin) and math.isfinite(evidence.mass)):
            raise ModelUnsound(self.info.model_id, "it gave a score that is not a number")


def finish(look: Look, pieces: Sequence[str], seconds: float) -> Screening:
    """A screening from a look and the pieces of its explanation."""
    return Screening(
        verdict=look.verdict,
        margin=look.evidence.margin,
        mass=look.evidence.mass,
        explanation="".join(pieces).strip(),
        findings=look.evidence.findings,
        timings={"score": look.seconds, "explain": seconds},
    )
