"""From a margin to a probability that can be believed, and to where it is enough to answer.

A calibration is Platt's scaling of the margin (Platt 1999) and two operating points. It is bound
to everything that could change a margin, and refused where any of that differs.

A reference says what margins and gate figures looked like on the tiles that a calibration was
fitted on. A service compares its own with these: where they have moved, neither the calibration nor
the published accuracy need hold any longer. Numbers only: no tile can be reconstructed from them.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Self, TypeVar

import numpy as np
from pydantic import Field, FiniteFloat, ValidationError, field_validator, model_validator

from healer.errors.engine import CalibrationMismatch, CalibrationUnreadable
from healer.files.disk import StoredRecord
from healer.questions.colorectal import COLORECTAL_CANCER

if TYPE_CHECKING:
    from healer.engines.base import EngineInfo

CALIBRATION_FILE = "healer-calibration.json"
BINS = 10
LEAST_TILES = 100  # ten a bin
MARGIN = "margin"
# Stain, light, tissue and sharpness, of all that the gate measures.
GATE_FIGURES = ("light", "red_green", "blue_green", "tissue", "detail")


class Binding(StoredRecord):
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

    def as_text(self) -> dict[str, str]:
        """By field, as runs keep it beside the rest that they depend on."""
        return {name: str(value) for name, value in self.model_dump().items()}


Stored = TypeVar("Stored", bound=StoredRecord)


class Fitted(StoredRecord):
    """What a calibration was fitted on."""

    dataset: str
    tiles: int = Field(gt=0)
    positives: int = Field(gt=0)
    cases: int = Field(gt=0)

    def in_words(self) -> str:
        return f"{self.dataset}: {self.tiles:,} tiles of {self.cases:,} cases"


class Calibration(StoredRecord):
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
    calibration = read_calibration(path, Calibration)
    ours, theirs = Binding.of(info).model_dump(), calibration.binding.model_dump()
    for name, value in ours.items():
        if value != theirs[name]:
            raise CalibrationMismatch(path.name, name, str(theirs[name]), str(value))
    return calibration


def read_calibration(path: Path, kind: type[Stored]) -> Stored:
    """The calibration of any kind in a file, whatever it is bound to. Raises
    CalibrationUnreadable."""
    try:
        return kind.model_validate_json(path.read_bytes())
    except OSError as error:
        raise CalibrationUnreadable(path.name, error.strerror or "unreadable") from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise CalibrationUnreadable(path.name, f"{where}: {first['msg']}".lstrip(": ")) from None


def sigmoid(margin: float) -> float:
    return 1 / (1 + math.exp(-margin)) if margin >= 0 else math.exp(margin) / (1 + math.exp(margin))


class Spread(StoredRecord):
    """Inner edges between bins, rising, and the share of tiles in each bin: one more than edges."""

    edges: tuple[FiniteFloat, ...] = Field(min_length=1)
    shares: tuple[FiniteFloat, ...]

    @model_validator(mode="after")
    def _fitting(self) -> Self:
        if len(self.shares) != len(self.edges) + 1 or list(self.edges) != sorted(set(self.edges)):
            raise ValueError("edges must rise, with one share more than edges")
        if min(self.shares) < 0 or not math.isclose(sum(self.shares), 1, abs_tol=1e-3):
            raise ValueError("shares must add up to 1")
        return self

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Bins that hold equally many of `values`, as far as ties allow."""
        inner = np.quantile(values, np.arange(1, BINS) / BINS)
        edges = tuple(np.unique(inner.round(6)).tolist())
        counts = counted(values, edges)
        return cls(edges=edges, shares=tuple(round(n / len(values), 6) for n in counts))


class Reference(StoredRecord):
    """`figures` has MARGIN and, where the tiles could be read, GATE_FIGURES."""

    format: Literal[1] = 1
    binding: Binding
    dataset: str
    tiles: int = Field(ge=LEAST_TILES)
    figures: dict[str, Spread]

    @classmethod
    def of(
        cls,
        info: EngineInfo,
        dataset: str,
        margins: Sequence[float],
        gate: Mapping[str, list[float]],
    ) -> Self | None:
        """None where there are too few tiles to say anything."""
        if len(margins) < LEAST_TILES:
            return None
        every = {MARGIN: margins, **gate}
        return cls(
            binding=Binding.of(info),
            dataset=dataset,
            tiles=len(margins),
            figures={
                name: Spread.of(values)
                for name, values in every.items()
                if len(values) >= LEAST_TILES
            },
        )


def counted(values: Sequence[float], edges: Sequence[float]) -> list[int]:
    """How many of `values` lie in each bin; one on an edge belongs to the bin above it."""
    bins = np.searchsorted(edges, values, side="right")
    return [int(count) for count in np.bincount(bins, minlength=len(edges) + 1)]


def reference_beside(calibration: Path) -> Path:
    """Where the reference of a calibration lies."""
    return calibration.with_suffix(".drift.json")


def load_reference(path: Path, info: EngineInfo) -> Reference | None:
    """None where there is none, or where it is of another engine, model or preprocessing.

    Drift is an aid: no answer hangs on it, so nothing stops for want of it.
    """
    try:
        reference = Reference.model_validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
    return reference if reference.binding == Binding.of(info) else None
