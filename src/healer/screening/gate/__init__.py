"""The input gate: is this an H&E field with tissue, in focus and large enough? No model runs here.

It cannot tell one organ from another, nor which question is worth asking: docs/gate.md.
"""

from __future__ import annotations

from dataclasses import dataclass

from healer.imaging.tile import Tile
from healer.screening.gate.checks import DETAIL, FRAME, HISTOLOGY, STAIN, TISSUE, Reason
from healer.screening.gate.head import Head
from healer.screening.gate.planes import Figures
from healer.screening.gate.sharpness import detail, native_detail, noise
from healer.screening.gate.statistics import measure, tissue, view_of

__all__ = ["Gate", "GateReport", "Reason", "look", "shows_tissue"]


@dataclass(frozen=True, slots=True)
class GateReport:
    """`reasons` speak against the tile; `figures` is what was measured, as far as it was."""

    reasons: tuple[Reason, ...]
    figures: dict[str, float]

    @property
    def passed(self) -> bool:
        return not self.reasons


class Gate:
    """Measures tiles against fixed thresholds; knows nothing of settings or of engines."""

    def __init__(self) -> None:
        self._histology, self._stain = Head.load("histology"), Head.load("stain")

    def assess(self, tile: Tile) -> GateReport:
        """Never raises: any tile gives a report."""
        figures = _frame(tile)
        reasons = [check.reason(figures) for check in FRAME if check.fails(figures)]
        if not reasons:
            measured = look(tile)
            figures |= {name: measured[name] for name in ("tissue", *_DETAIL_FIGURES, *_COLOUR)}
            figures |= self._scores(measured)
            reasons = _judged(figures)
        return GateReport(tuple(reasons), figures)

    def _scores(self, measured: Figures) -> Figures:
        return {
            "histology": self._histology.probability(measured),
            "stain": self._stain.probability(measured),
        }


_DETAIL_FIGURES = tuple(check.figure for check in DETAIL)
_COLOUR = ("light", "red_green", "blue_green")  # not judged: for whoever watches the stain


def _frame(tile: Tile) -> Figures:
    sides = sorted((tile.height, tile.width))
    return {"shorter_side": float(sides[0]), "aspect": sides[1] / max(sides[0], 1)}


def look(tile: Tile) -> Figures:
    """Everything measured of a tile whose frame is in order, before any threshold."""
    view = view_of(tile.pixels)
    figures = measure(view)
    figures |= {"detail": detail(view), "noise": noise(figures)}
    reduced = view is not tile.pixels
    return figures | {"native_detail": native_detail(tile.pixels) if reduced else figures["detail"]}


def shows_tissue(tile: Tile) -> bool:
    """Whether there is more than bare glass; a small part of the work of `look`."""
    return not TISSUE.fails({TISSUE.figure: tissue(view_of(tile.pixels))})


def _judged(figures: Figures) -> list[Reason]:
    if TISSUE.fails(figures):
        return [TISSUE.reason(figures)]
    failed = {check.code: check for check in reversed(DETAIL) if check.fails(figures)}
    if HISTOLOGY.fails(figures):
        failed["not"] = STAIN if STAIN.fails(figures) else HISTOLOGY
    return [check.reason(figures) for check in failed.values()]
