"""The screening domain: tiles in, screenings out. Knows engines, not HTTP."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from healer.engines.base import Engine, EngineInfo, Evidence, Finding
from healer.errors import ModelUnsound
from healer.imaging.tile import Tile
from healer.screening.verdict import Verdict, decide


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a tile came to, before it is put in words."""

    evidence: Evidence
    verdict: Verdict
    seconds: float


@dataclass(frozen=True, slots=True)
class Screening:
    """A finished answer. `timings` are seconds by stage."""

    verdict: Verdict
    explanation: str
    findings: tuple[Finding, ...]
    engine: EngineInfo
    timings: dict[str, float]

    @property
    def prediction(self) -> str:
        return f"{self.verdict.answer.capitalize()}. {self.explanation}"


class Screener:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def look(self, tiles: Sequence[Tile]) -> list[Look]:
        started = time.perf_counter()
        evidences = self.engine.score(tiles)
        seconds = (time.perf_counter() - started) / max(1, len(tiles))
        for evidence in evidences:
            self._check(evidence)
        return [Look(evidence, decide(evidence), seconds) for evidence in evidences]

    def explain(self, look: Look) -> Iterator[str]:
        return self.engine.explain(look.evidence, look.verdict.answer)

    def screen(self, tiles: Sequence[Tile]) -> list[Screening]:
        """One screening per tile, in order. Blocking."""
        return [self._finish(look) for look in self.look(tiles)]

    def _finish(self, look: Look) -> Screening:
        started = time.perf_counter()
        explanation = "".join(self.explain(look)).strip()
        return Screening(
            verdict=look.verdict,
            explanation=explanation,
            findings=look.evidence.findings,
            engine=self.engine.info,
            timings={"score": look.seconds, "explain": time.perf_counter() - started},
        )

    def _check(self, evidence: Evidence) -> None:
        if not (math.isfinite(evidence.margin) and math.isfinite(evidence.mass)):
            raise ModelUnsound(self.engine.info.model_id, "it gave a score that is not a number")
