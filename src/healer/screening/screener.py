"""The screening domain: tiles in, screenings out. Knows engines, not HTTP."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from healer.engines.base import Engine, EngineInfo, Evidence, Finding, FromClasses, SideBySide
from healer.errors import ModelUnsound
from healer.imaging.tile import Tile
from healer.screening.calibration import Calibration
from healer.screening.field import FieldWarning, WindowAnswer
from healer.screening.second_answer import SecondAnswer, second_answer
from healer.screening.verdict import Verdict, decide

COMPOSED = "The explanation is composed from the same probabilities."


@dataclass(frozen=True, slots=True)
class Look:
    """What one look at a tile came to, before it is put in words."""

    evidence: Evidence
    verdict: Verdict
    seconds: float
    second: SecondAnswer | None = None
    warnings: tuple[FieldWarning, ...] = ()
    windows: tuple[WindowAnswer, ...] | None = None


@dataclass(frozen=True, slots=True)
class Screening:
    """A finished answer. `margin` and `mass` are the evidence's; `timings` are seconds by stage."""

    verdict: Verdict
    margin: float
    mass: float
    explanation: str
    findings: tuple[Finding, ...]
    timings: dict[str, float]
    second: SecondAnswer | None = None
    warnings: tuple[FieldWarning, ...] = ()
    windows: tuple[WindowAnswer, ...] | None = None

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
        return [self._judged(evidence, seconds) for evidence in evidences]

    def explain(self, look: Look) -> Iterator[str]:
        """Pieces of the explanation of a verdict already given. Blocking between pieces."""
        return self.engine.explain(look.evidence, look.verdict.answer)

    @property
    def headline_rule(self) -> str | None:
        """How the verdict follows from the findings; None where it does not."""
        if not isinstance(self.engine, FromClasses):
            return None
        end = ", and the sum is calibrated on known cases" if self.calibration else ""
        return f"{self.engine.margin_rule}{end}. {COMPOSED}"

    @property
    def side_by_side(self) -> bool:
        """Whether several explanations take hardly longer than one."""
        return isinstance(self.engine, SideBySide)

    def explain_all(self, looks: Sequence[Look]) -> list[Iterator[str]]:
        """`explain` of each, in order."""
        if isinstance(self.engine, SideBySide):
            return self.engine.explain_all([(look.evidence, look.verdict.answer) for look in looks])
        return [self.explain(look) for look in looks]

    def screen(self, tiles: Sequence[Tile]) -> list[Screening]:
        """One screening per tile, in order. Blocking."""
        looks = self.look(tiles)
        explanations = self.explain_all(looks)
        return [told(*each) for each in zip(looks, explanations, strict=True)]

    def _judged(self, evidence: Evidence, seconds: float) -> Look:
        verdict = decide(evidence, self.calibration)
        return Look(evidence, verdict, seconds, second_answer(verdict, evidence.findings))

    def _check(self, evidence: Evidence) -> None:
        if not (math.isfinite(evidence.margin) and math.isfinite(evidence.mass)):
            raise ModelUnsound(self.info.model_id, "it gave a score that is not a number")


def told(look: Look, explanation: Iterator[str]) -> Screening:
    started = time.perf_counter()
    pieces = list(explanation)
    return finish(look, pieces, time.perf_counter() - started)


def finish(
    look: Look, pieces: Sequence[str], seconds: float, *, waited: float | None = None
) -> Screening:
    """A screening from a look and the pieces of its explanation; `waited` is seconds in a queue."""
    queued = {} if waited is None else {"queue": waited}
    return Screening(
        verdict=look.verdict,
        margin=look.evidence.margin,
        mass=look.evidence.mass,
        explanation="".join(pieces).strip(),
        findings=look.evidence.findings,
        timings={**queued, "score": look.seconds, "explain": seconds},
        second=look.second,
        warnings=look.warnings,
        windows=look.windows,
    )
