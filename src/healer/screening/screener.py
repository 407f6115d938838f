"""The screening domain: tiles in, screenings out. Knows engines, not HTTP."""

from __future__ import annotations

import math
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from healer.engines.base import Engine, EngineInfo, Evidence, Finding, FromClasses
from healer.errors.engine import ModelUnsound
from healer.images.tile import Tile
from healer.questions.base import Question
from healer.questions.colorectal import COLORECTAL_CANCER
from healer.screening.calibration import Binding, Calibration
from healer.screening.verdict import SecondAnswer, Verdict, decide, second_answer
from healer.screening.wide_field import (
    LEAST_SIDE,
    Box,
    FieldWarning,
    WideReading,
    WindowAnswer,
    is_wide,
    read_windows,
    scale_of,
    wide_field_warning,
)

UNLIKE_TRAINING = "unlike_training"
WHOLE_SLIDE = "whole_slide"
SLIDE_SENTENCE = (
    "The file is a whole slide, answered here as one picture. `healer slide`, or a service whose "
    "HEALER_SLIDES names its folder, reads it whole: with a map, and an account of what was read."
)
COMPOSED = "The explanation is composed from the same probabilities."


@dataclass(frozen=True, slots=True)
class Score:
    """What a tile was scored, before it is put in words.

    `headline_rule` says how the verdict follows from the findings. Of a wide field that was read
    window by window, `windows` are those with tissue, and `place` the one that `evidence` is of.
    """

    evidence: Evidence
    verdict: Verdict
    seconds: float
    second: SecondAnswer | None = None
    headline_rule: str | None = None
    warnings: tuple[FieldWarning, ...] = ()
    windows: tuple[WindowAnswer, ...] | None = None
    place: Box | None = None

    @property
    def margin(self) -> float:
        return self.evidence.margin

    @property
    def mass(self) -> float:
        return self.evidence.mass


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
    headline_rule: str | None = None
    warnings: tuple[FieldWarning, ...] = ()
    windows: tuple[WindowAnswer, ...] | None = None

    @property
    def prediction(self) -> str:
        return f"{self.verdict.answer.capitalize()}. {self.explanation}"


@dataclass(frozen=True, slots=True)
class Screener:
    """An engine, the question it was opened for and, where there is one fitted for both, their
    calibration."""

    engine: Engine
    calibration: Calibration | None = None
    warnings: tuple[str, ...] = ()
    question: Question = COLORECTAL_CANCER

    @property
    def info(self) -> EngineInfo:
        return self.engine.info

    def binding(self) -> dict[str, str]:
        """What a score depends on beside the tile, as text: the engine's state, the calibration."""
        calibration = self.calibration.id if self.calibration else "none"
        return {**Binding.of(self.info).as_text(), "calibration": calibration}

    def score(self, tiles: Sequence[Tile]) -> list[Score]:
        """One score per tile, in order; the verdict is known. Blocking."""
        in_steps = [self.scored_in_steps(tile) for tile in tiles]
        whole = [tile for tile, stepwise in zip(tiles, in_steps, strict=True) if not stepwise]
        scores = iter(self._scored_whole(whole))
        return [
            _last(self.score_in_steps(tile)) if stepwise else next(scores)
            for tile, stepwise in zip(tiles, in_steps, strict=True)
        ]

    def scored_in_steps(self, tile: Tile) -> bool:
        """Whether the tile is a wide field that the engine scores window by window.

        A strip too narrow for a window of tissue is scored whole.
        """
        narrow = min(tile.width, tile.height) < LEAST_SIDE
        return scale_of(self.engine) is not None and is_wide(tile, self.engine) and not narrow

    def score_in_steps(self, tile: Tile) -> Generator[None, None, Score]:
        """The score of a wide field, a few windows a step. Blocking between steps."""
        scale = scale_of(self.engine)
        if scale is None:
            raise TypeError(f"{self.info.engine} scores wide fields whole")
        reading, seconds = read_windows(tile, scale, self._evidence_of), 0.0
        while True:
            started = time.perf_counter()
            try:
                next(reading)
            except StopIteration as ended:
                return self._of_windows(tile, ended.value, seconds)
            seconds += time.perf_counter() - started
            yield

    def explain(self, score: Score) -> Iterator[str]:
        """Pieces of the explanation of a verdict already given. Blocking between pieces."""
        return _placed(self.engine.explain(score.evidence, score.verdict.answer), score)

    def headline_rule(self, further: str = "") -> str | None:
        """How the verdict follows from the findings; None where it does not."""
        if not isinstance(self.engine, FromClasses):
            return None
        end = ", and the sum is calibrated on known cases" if self.calibration else ""
        return f"{self.engine.margin_rule}{end}.{further} {COMPOSED}"

    def screen(self, tiles: Sequence[Tile]) -> list[Screening]:
        """One screening per tile, in order. Blocking."""
        return [to_screening(score, self.explain(score)) for score in self.score(tiles)]

    def _scored_whole(self, tiles: Sequence[Tile]) -> list[Score]:
        """Each tile scored whole."""
        started = time.perf_counter()
        evidences = self._evidence_of(tiles)
        seconds = (time.perf_counter() - started) / max(1, len(tiles))
        return [self._of_one(*each, seconds) for each in zip(tiles, evidences, strict=True)]

    def _of_one(self, tile: Tile, evidence: Evidence, seconds: float) -> Score:
        verdict = decide(evidence, self.calibration)
        score = Score(
            evidence,
            verdict,
            seconds,
            second=self._second(verdict, evidence.findings),
            headline_rule=self.headline_rule(),
        )
        if is_wide(tile, self.engine):
            score = _warned(score, tile, self.engine, WHOLE)
        return warned_if_unlike(warned_if_slide(score, tile))

    def _second(self, verdict: Verdict, findings: Sequence[Finding]) -> SecondAnswer | None:
        return second_answer(verdict, findings) if self.question.follow_up else None

    def _of_windows(self, tile: Tile, read: WideReading, seconds: float) -> Score:
        if not read.seen:  # bare glass, where the gate is set to let it pass
            score = self._of_one(tile, self._evidence_of([tile])[0], seconds)
            return replace(_warned(score, tile, self.engine, read.in_words()), windows=())
        evidence, place = read.headline()
        verdict = decide(evidence, self.calibration)
        verdicts = {cell: decide(seen, self.calibration) for cell, seen in read.seen.items()}
        score = Score(
            evidence,
            verdict,
            seconds,
            second=read.second(verdict) if self.question.follow_up else None,
            headline_rule=self.headline_rule(f" {read.rule}"),
            windows=tuple(read.answers(verdicts)),
            place=place,
        )
        score = _warned(score, tile, self.engine, read.in_words())
        return warned_if_unlike(warned_if_slide(score, tile))

    def _evidence_of(self, tiles: Sequence[Tile]) -> Sequence[Evidence]:
        evidences = self.engine.score(tiles)
        for evidence in evidences:
            if not (math.isfinite(evidence.margin) and math.isfinite(evidence.mass)):
                raise ModelUnsound(self.info.model_id, "it gave a score that is not a number")
        return evidences


WHOLE = (
    "It was read whole, scaled down, and a small lesion can be missed: crop fields of view "
    "out of it and send those."
)


def _warned(score: Score, tile: Tile, engine: Engine, rest: str) -> Score:
    """Of a wide field: no calibration was fitted on such."""
    warnings = (wide_field_warning(tile, engine, rest), *score.warnings)
    return replace(score, verdict=replace(score.verdict, calibrated=False), warnings=warnings)


def _placed(pieces: Iterator[str], score: Score) -> Iterator[str]:
    """The explanation of a window says which window it is of."""
    if score.place is None:
        return pieces
    return _then(pieces, f" These are of the window at x {score.place.x}, y {score.place.y}.")


def _then(pieces: Iterator[str], last: str) -> Iterator[str]:
    yield from pieces
    yield last


def _last(steps: Generator[None, None, Score]) -> Score:
    while True:
        try:
            next(steps)
        except StopIteration as ended:
            score: Score = ended.value
            return score


def to_screening(score: Score, explanation: Iterator[str]) -> Screening:
    started = time.perf_counter()
    pieces = list(explanation)
    return finish_screening(score, pieces, time.perf_counter() - started)


def finish_screening(
    score: Score, pieces: Sequence[str], seconds: float, *, waited: float | None = None
) -> Screening:
    """A score and the pieces of its explanation, put together; `waited` is seconds in the queue."""
    queued = {} if waited is None else {"queue": waited}
    return Screening(
        verdict=score.verdict,
        margin=score.evidence.margin,
        mass=score.evidence.mass,
        explanation="".join(pieces).strip(),
        findings=score.evidence.findings,
        timings={**queued, "score": score.seconds, "explain": seconds},
        second=score.second,
        headline_rule=score.headline_rule,
        warnings=score.warnings,
        windows=score.windows,
    )


EOSIN = np.array([226, 158, 194])
HAEMATOXYLIN = np.array([94, 62, 132])


def known_tile(side: int = 224) -> Tile:
    """A drawn H&E-like field, the same every time: dark round nuclei on a pink ground."""
    rows, columns = np.mgrid[0:side, 0:side]
    nuclei = (np.sin(rows / 5.0) * np.sin(columns / 5.0) > 0.6)[..., None]
    grain = np.random.default_rng(0).integers(-8, 9, (side, side, 3))
    pixels = np.where(nuclei, HAEMATOXYLIN, EOSIN) + grain
    return Tile(pixels=pixels.clip(0, 255).astype(np.uint8))


def self_test(screener: Screener) -> Screening:
    """Raises what the engine raises; a screening with a finite probability otherwise."""
    return screener.screen([known_tile()])[0]


def unlike_training_warning(evidence: Evidence, subject: str) -> FieldWarning | None:
    """None where the tile is not that unlike, or the engine does not measure it.

    `subject` begins the sentence: what was measured.
    """
    found = evidence.unlikeness
    if found is None or found.measured <= found.threshold:
        return None
    sentence = (
        f"{subject} is unlike the colorectal tissue that the model was trained and calibrated on: "
        f"{found.measured:.2f} times as far from it as usual, where up to {found.threshold:.2f} is "
        "common. It may show another organ, rare tissue or an artefact, and the answer may not "
        "hold."
    )
    return FieldWarning(UNLIKE_TRAINING, found.measured, found.threshold, sentence)


def warned_if_unlike(score: Score) -> Score:
    """With the warning, and not calibrated, where its evidence is unlike the training tiles."""
    subject = "The tile" if score.place is None else "The window that was answered from"
    warning = unlike_training_warning(score.evidence, subject)
    if warning is None:
        return score
    return replace(
        score,
        verdict=replace(score.verdict, calibrated=False),
        warnings=(*score.warnings, warning),
    )


def warned_if_slide(score: Score, tile: Tile) -> Score:
    """With the warning where the picture is one level of a whole slide."""
    if not tile.levels:
        return score
    warning = FieldWarning(WHOLE_SLIDE, float(tile.levels), 1.0, SLIDE_SENTENCE)
    return replace(score, warnings=(*score.warnings, warning))
