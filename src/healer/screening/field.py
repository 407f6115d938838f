"""How wide a field is, and what was read in each part of a wide one."""

from __future__ import annotations

from dataclasses import dataclass

from healer.engines.base import Answer


@dataclass(frozen=True, slots=True)
class FieldWarning:
    """What to know of a picture that was answered. `code` is stable."""

    code: str
    measured: float
    threshold: float
    sentence: str


@dataclass(frozen=True, slots=True)
class WindowAnswer:
    """One window of a wide field, in pixels of the upright tile."""

    x: int
    y: int
    width: int
    height: int
    probability: float
    verdict: Answer
