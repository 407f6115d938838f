"""What margins and gate figures looked like on the tiles a calibration was fitted on.

A service compares its own with these: where they have moved, neither the calibration nor the
published accuracy need hold any longer. Numbers only: no tile can be reconstructed from them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, FiniteFloat, ValidationError, model_validator

from healer.engines.base import EngineInfo
from healer.screening.calibration import Binding

BINS = 10
LEAST_TILES = 100  # ten a bin
MARGIN = "margin"
# Stain, light, tissue and sharpness, of all that the gate measures.
GATE_FIGURES = ("light", "red_green", "blue_green", "tissue", "detail")


class _Record(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


class Spread(_Record):
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


class Reference(_Record):
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
