"""From tiles to one answer for the slide.

A slide is thousands of chances to be wrong, so that neither its highest tile nor a tile's own
thresholds decide. Its score is the mean of the highest tiles, each of which counts as much as its
best neighbour bears it out. Thresholds follow from those of tiles by a rule, without any slide
having been looked at, until a slide calibration was fitted (`healer calibrate slides.csv`).
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from healer.answer import Thresholds
from healer.display import percent
from healer.engines.base import Answer
from healer.errors.engine import CalibrationMismatch
from healer.files.disk import StoredRecord
from healer.screening.calibration import read_calibration, sigmoid
from healer.screening.verdict import OF_WINDOWS, SecondAnswer, Verdict, second_answer
from healer.slides.regions import (
    TOP,
    Region,
    RegionKind,
    TileNeighbours,
    dysplasia_of,
    mean_findings,
)
from healer.slides.scoring import Coverage, TileResult

CALIBRATION_FILE = "healer-slide-calibration.json"
OF_ONE_SLIDE = frozenset({"healer", "slide", "mpp"})  # a run depends on them, a calibration not
SECOND = "second "  # begins what a run depends on of a second model
LEAST_ODDS = 1e-6
YES_ODDS = 10.0
RULE = (
    f"The score is the mean of the {TOP} highest tiles, each counting as the lower of itself and "
    "its highest neighbour. No at or below the threshold up to which a tile is a no; yes from "
    f"{YES_ODDS:.0f} times the odds from which a tile is a yes; indeterminate between."
)
CALIBRATED_RULE = (
    f"The score is the mean of the {TOP} highest tiles, each counting as the lower of itself and "
    "its highest neighbour; the probability and its thresholds were fitted on slides."
)


class FittedOnSlides(StoredRecord):
    dataset: str
    slides: int = Field(gt=0)
    positives: int = Field(gt=0)
    cases: int = Field(gt=0)


class SlideCalibration(StoredRecord):
    """probability = sigmoid(slope · log-odds of the score + intercept); no at or below `lower`,
    which at least `sensitivity` of the slides with cancer exceed, yes from `upper`.

    `binding` is everything that a score depends on; `figures` are of cases left out of the fit.
    """

    format: Literal[1] = 1
    binding: dict[str, str]
    slope: float = Field(gt=0, allow_inf_nan=False)
    intercept: float = Field(allow_inf_nan=False)
    lower: float = Field(ge=0, le=1)
    upper: float = Field(ge=0, le=1)
    sensitivity: float = Field(gt=0, le=1)
    fitted_on: FittedOnSlides
    figures: dict[str, float] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.lower > self.upper:
            raise ValueError("lower must not exceed upper")
        return self

    @property
    def id(self) -> str:
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]

    def probability(self, score: float) -> float:
        return sigmoid(self.slope * log_odds(score) + self.intercept)


def log_odds(score: float) -> float:
    """Finite at 0 and 1 too."""
    clipped = min(max(score, LEAST_ODDS), 1 - LEAST_ODDS)
    return math.log(clipped / (1 - clipped))


def calibrated_part(binding: Mapping[str, str]) -> dict[str, str]:
    """Of all that a run depends on, what a calibration is fitted for."""
    return {
        name: value
        for name, value in binding.items()
        if name not in OF_ONE_SLIDE and not name.startswith(("option ", SECOND))
    }


def load_slide_calibration(path: Path, binding: Mapping[str, str]) -> SlideCalibration:
    """Raises CalibrationUnreadable or CalibrationMismatch."""
    calibration = read_slide_calibration(path)
    for name, value in calibrated_part(binding).items():
        if (fitted := calibration.binding.get(name)) != value:
            raise CalibrationMismatch(path.name, name, str(fitted), value)
    return calibration


def read_slide_calibration(path: Path) -> SlideCalibration:
    """Raises CalibrationUnreadable."""
    return read_calibration(path, SlideCalibration)


@dataclass(frozen=True, slots=True)
class SlideThresholds:
    """No at or below `lower`, yes from `upper`; `positive`, from which a tile is a yes."""

    lower: float
    upper: float
    positive: float

    @classmethod
    def of(cls, calibration: SlideCalibration | None, tiles: Thresholds) -> SlideThresholds:
        """Of a calibration fitted on slides; without one, by RULE from those of tiles."""
        if calibration is not None:
            return cls(calibration.lower, calibration.upper, tiles.upper)
        upper = tiles.upper * YES_ODDS / (1 + tiles.upper * (YES_ODDS - 1))
        return cls(tiles.lower, upper, tiles.upper)


@dataclass(frozen=True, slots=True)
class SlideScores:
    """`score` decides; the others stand beside it. `maximum` is the highest tile, `top_mean` the
    mean of the TOP highest whatever lies beside them, `pair` the best tile that its neighbour
    bears out, `positive_mm2` tissue in tiles that are a yes by themselves."""

    score: float
    maximum: float
    top_mean: float
    pair: float
    positive_mm2: float
    positive_tiles: int
    tiles: int

    @classmethod
    def of(cls, scored: Sequence[TileResult], positive_mm2: float, cut: float) -> SlideScores:
        """Of tiles that all have a probability; of none, all are 0."""
        values = probabilities_of(scored)
        if not len(values):
            return cls(0.0, 0.0, 0.0, 0.0, 0.0, 0, 0)
        supported = TileNeighbours([each.area for each in scored]).supported(values)
        return cls(
            score=_mean_of_highest(supported),
            maximum=float(values.max()),
            top_mean=_mean_of_highest(values),
            pair=float(supported.max()),
            positive_mm2=positive_mm2,
            positive_tiles=int((values >= cut).sum()),
            tiles=len(values),
        )

    def as_json(self) -> dict[str, Any]:
        return {
            name: round(value, 6) if isinstance(value, float) else value
            for name, value in asdict(self).items()
        }


def probabilities_of(scored: Sequence[TileResult]) -> NDArray[np.float64]:
    return np.array([each.probability for each in scored], np.float64)


def _mean_of_highest(values: NDArray[np.float64]) -> float:
    """Of TOP, or of all where there are fewer: a small biopsy has no more."""
    return float(np.sort(values)[::-1][:TOP].mean())


def decide_slide(
    probability: float,
    thresholds: SlideThresholds,
    coverage: Coverage,
    least_coverage: float,
    *,
    calibrated: bool = False,
) -> Verdict:
    """Yes wherever cancer was read; no only where enough of the tissue was."""
    if not coverage.tissue:
        return _open(0.0, "No tissue was found on the slide.")
    if not coverage.read:
        return _open(0.0, f"No tile could be read. {coverage.in_words()}")
    if probability >= thresholds.upper:
        return Verdict(Answer.YES, probability, calibrated)
    if probability > thresholds.lower:
        return _open(probability, _between(probability, thresholds), calibrated)
    if coverage.share < least_coverage:
        reason = (
            f"What was read speaks against cancer, but only {percent(coverage.share, 1)} of the "
            f"tissue was read, and {percent(least_coverage)} are needed to answer no. "
            f"{coverage.in_words()}"
        )
        return _open(probability, reason, calibrated)
    return Verdict(Answer.NO, probability, calibrated)


def _open(probability: float, reason: str, calibrated: bool = False) -> Verdict:
    return Verdict(Answer.INDETERMINATE, probability, calibrated, reason)


def _between(probability: float, thresholds: SlideThresholds) -> str:
    return (
        f"At {probability:.3f} it falls between {thresholds.lower:.3f}, up to which the "
        f"slide would be a no, and {thresholds.upper:.3f}, from which it would be a yes."
    )


def second_of_slide(
    scored: Sequence[TileResult], headline: Verdict, regions: Sequence[Region]
) -> SecondAnswer | None:
    """Dysplasia or cancer, from the mean findings of the tiles that say most, each borne out by a
    neighbour; None where the engine gives no classes. It is no "no" unless the headline is, nor
    where a precursor is likely in any region, however small."""
    if not scored or any(each.second is None for each in scored):
        return None
    neighbours = TileNeighbours([each.area for each in scored])
    values = np.array([dysplasia_of(each) for each in scored], np.float64)
    order = np.argsort(-neighbours.supported(values), kind="stable")[:TOP]
    small = any(region.kind is RegionKind.PRECURSOR for region in regions)
    cuts = replace(OF_WINDOWS, lower=0.0) if small else OF_WINDOWS
    return second_answer(headline, mean_findings([scored[at] for at in order]), cuts)
