"""From a slide's score to a probability, where slides of known answer were there to fit it on."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from healer.errors.engine import CalibrationMismatch, CalibrationUnreadable
from healer.screening.calibration import sigmoid

NAME = "healer-slide-calibration.json"
OF_ONE_SLIDE = frozenset({"healer", "slide", "mpp"})  # a run depends on them, a calibration not
LEAST_ODDS = 1e-6


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class FittedOnSlides(_Record):
    dataset: str
    slides: int = Field(gt=0)
    positives: int = Field(gt=0)
    cases: int = Field(gt=0)


class SlideCalibration(_Record):
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
        if name not in OF_ONE_SLIDE and not name.startswith(("option ", "second "))
    }


def load_slide_calibration(path: Path, binding: Mapping[str, str]) -> SlideCalibration:
    """Raises CalibrationUnreadable or CalibrationMismatch."""
    calibration = read_slide_calibration(path)
    for name, value in calibrated_part(binding).items():
        if (fitted := calibration.binding.get(name)) != value:
            raise CalibrationMismatch(path.name, name, str(fitted), value)
    return calibration


def read_slide_calibration(path: Path) -> SlideCalibration:
    try:
        return SlideCalibration.model_validate_json(path.read_bytes())
    except OSError as error:
        raise CalibrationUnreadable(path.name, error.strerror or "unreadable") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise CalibrationUnreadable(path.name, f"{where}: {first['msg']}".lstrip(": ")) from None
