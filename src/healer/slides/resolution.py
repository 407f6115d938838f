"""How many micrometres one level-0 pixel covers, where every place that says so agrees."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite

from healer.errors.slides import NoResolution, ResolutionContradictory
from healer.slides.geometry import Resolution

# Micrometres per pixel. What lies outside is a default of a screen or a printer: 72 dpi is 352.8.
PLAUSIBLE = (0.1, 20.0)
AGREEMENT = 1.05  # sources whose values differ by a larger factor contradict each other
MOST_ELONGATED = 2.0  # of a pixel: the longer side over the shorter
# Micrometres per pixel times magnification: about 10 for most scanners, 4.6 where an adapter
# enlarges a 20x objective's picture. Far outside, one of the two is wrong.
PLAUSIBLE_PRODUCT = (2.5, 40.0)

UM_PER_UNIT = {"nm": 1e-3, "µm": 1.0, "μm": 1.0, "um": 1.0, "mm": 1e3, "cm": 1e4, "m": 1e6}


@dataclass(frozen=True, slots=True)
class StatedResolution:
    """What one place in a file says: micrometres per level-0 pixel along each axis."""

    source: str
    x: float | None
    y: float | None

    @property
    def plausible(self) -> bool:
        low, high = PLAUSIBLE
        return all(value is not None and low <= value <= high for value in (self.x, self.y))

    @property
    def in_words(self) -> str:
        if self.x is None or self.y is None:
            return f"{self.source}: none"
        value = f"{self.x:.4g}" if self.x == self.y else f"{self.x:.4g} × {self.y:.4g}"
        return f"{self.source}: {value} µm" + ("" if self.plausible else ", which is implausible")

    def agrees_with(self, other: StatedResolution) -> bool:
        pairs = ((self.x or 0, other.x or 0), (self.y or 0, other.y or 0))
        return all(max(pair) <= AGREEMENT * min(pair) for pair in pairs)


def stated(source: str, x: object, y: object) -> StatedResolution:
    """From values as a file holds them; what is not a positive number counts as not stated."""
    return StatedResolution(source, positive(x), positive(y))


def positive(value: object) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return number if isfinite(number) and number > 0 else None


def reconcile(
    statements: Sequence[StatedResolution], magnification: float | None = None
) -> Resolution:
    """The first plausible statement, where all plausible ones and the objective agree with it.

    Never inferred from the magnification alone. Raises NoResolution and ResolutionContradictory.
    """
    made = [each for each in statements if each.x is not None or each.y is not None]
    plausible = [each for each in made if each.plausible]
    if not plausible:
        raise NoResolution(_in_words(made, magnification) or "it says nothing about it")
    chosen = plausible[0]
    x, y = float(chosen.x or 0), float(chosen.y or 0)
    if (
        not all(chosen.agrees_with(other) for other in plausible)
        or max(x, y) > MOST_ELONGATED * min(x, y)
        or not _fits(x, magnification)
    ):
        raise ResolutionContradictory(_in_words(made, magnification))
    return Resolution(x, y, chosen.source)


def _fits(um: float, magnification: float | None) -> bool:
    low, high = PLAUSIBLE_PRODUCT
    return magnification is None or low <= um * magnification <= high


def _in_words(made: Sequence[StatedResolution], magnification: float | None) -> str:
    words = [each.in_words for each in made]
    if magnification is not None:
        words.append(f"objective: {magnification:g}×")
    return "; ".join(words)
