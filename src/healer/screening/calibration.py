"""From a margin to a probability that can be believed, and to where it is enough to answer.

A calibration is Platt's scaling of the margin (Platt 1999) and two operating points. It is bound
to everything that could change a margin, and refused where any of that differs.
"""

from __future__ import annotations

import hashlib
import math
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from healer.engines.base import EngineInfo
from healer.errors.engine import CalibrationMismatch, CalibrationUnreadable
from healer.questions.colorectal import COLORECTAL_CANCER

CALIBRATION_FILE = "healer-calibration.json"


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class Binding(_Record):
    """What a margin depends on. The device is not part of it: answers must not depend on it."""

    engine: str
    model_id: str
    revision: str
    adapter: str | None
    dtype: str
    quantization: str
    preprocessing_id: str
    prompt_id: str

    @field_validator("prompt_id")
    @classmethod
    def _of_the_first_question(cls, prompt_id: str) -> str:
        """Files of versions that knew one question, whose classifier had no prompt, say "none"."""
        return COLORECTAL_CANCER.id if prompt_id == "none" else prompt_id

    @classmethod
    def of(cls, info: EngineInfo) -> Binding:
        return cls(**{name: getattr(info, name) for name in cls.model_fields})


class Fitted(_Record):
    """What a calibration was fitted on."""

    dataset: str
    tiles: int = Field(gt=0)
    positives: int = Field(gt=0)
    cases: int = Field(gt=0)


class Calibration(_Record):
    """probability = sigmoid(slope · margin + intercept); no at or below `lower`, yes from `upper`.

    `figures` are measured on cases left out of the fit.
    """

    format: Literal[1] = 1
    binding: Binding
    slope: float = Field(gt=0, allow_inf_nan=False)
    intercept: float = Field(allow_inf_nan=False)
    lower: float = Field(ge=0, le=1)
    upper: float = Field(ge=0, le=1)
    fitted_on: Fitted
    figures: dict[str, float] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.lower > self.upper:
            raise ValueError("lower must not exceed upper")
        return self

    @property
    def id(self) -> str:
        """Names this calibration in answers; changes with anything in it."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()[:12]

    def probability(self, margin: float) -> float:
        return sigmoid(self.slope * margin + self.intercept)


def load_calibration(path: Path, info: EngineInfo) -> Calibration:
    """The calibration in a file; raises CalibrationUnreadable or CalibrationMismatch."""
    try:
        calibration = Calibration.model_validate_json(path.read_bytes())
    except OSError as error:
        raise CalibrationUnreadable(path.name, error.strerror or "unreadable") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise CalibrationUnreadable(path.name, f"{where}: {first['msg']}".lstrip(": ")) from None
    ours, theirs = Binding.of(info).model_dump(), calibration.binding.model_dump()
    for name, value in ours.items():
        if value != theirs[name]:
            raise CalibrationMismatch(path.name, name, str(theirs[name]), str(value))
    return calibration


def sigmoid(margin: float) -> float:
    return 1 / (1 + math.exp(-margin)) if margin >= 0 else math.exp(margin) / (1 + math.exp(margin))
