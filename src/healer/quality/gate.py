"""The input gate: is this picture an H&E field that can be assessed at all?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import resources
from typing import IO, Any, Self

import numpy as np
from numpy.typing import NDArray

from healer.errors.request import ImageNotAssessable
from healer.images.tile import Tile
from healer.quality.figures import measure_figures, native_detail, noise, tissue, view_of
from healer.quality.planes import Figures


@dataclass(frozen=True, slots=True)
class Reason:
    """Why a picture is refused. `code` is stable; `sentence`: what happened, why, what to do."""

    code: str
    measured: float
    threshold: float
    sentence: str


@dataclass(frozen=True, slots=True)
class Check:
    """`bound` is the least the figure may be or, where `at_most`, the most."""

    code: str
    figure: str
    bound: float
    sentence: str
    at_most: bool = False

    def fails(self, figures: Mapping[str, float]) -> bool:
        figure = figures[self.figure]
        return figure > self.bound if self.at_most else figure < self.bound

    def reason(self, figures: Mapping[str, float]) -> Reason:
        measured = figures[self.figure]
        sentence = self.sentence.format(measured=measured, bound=self.bound)
        return Reason(self.code, measured, self.bound, sentence)


# Of the picture's frame. What fails here is not measured further.
FRAME = (
    Check(
        "too_small",
        "shorter_side",
        64,
        "The picture is only {measured:.0f} pixels on its shorter side, too few for a field of "
        "cells: at least {bound:.0f} are needed. Export the field at a higher magnification or "
        "size.",
    ),
    Check(
        "too_elongated",
        "aspect",
        4,
        "The picture is {measured:.1f} times as long as it is wide, and the models look at "
        "squares: at most {bound:.0f} times is taken. Crop a field of view out of the strip.",
        at_most=True,
    ),
)
# Bare glass has nothing that could be blurred or stained: no other reason is given.
TISSUE = Check(
    "no_tissue",
    "tissue",
    0.012,
    "Tissue covers {measured:.1%} of the picture, and at least {bound:.1%} is needed: it shows "
    "bare glass or an even colour. Move to where the section is.",
)
DETAIL = (
    Check(
        "too_blurred",
        "detail",
        0.32,
        "The picture is out of focus: its fine detail measures {measured:.2f}, and nuclei cannot "
        "be made out below {bound:.2f}. Focus again and retake it.",
    ),
    Check(
        "too_blurred",
        "native_detail",
        0.27,
        "The picture has more pixels than detail: in its own pixels, fine detail measures "
        "{measured:.2f}, and at least {bound:.2f} is needed. Focus again and retake it.",
    ),
    Check(
        "too_noisy",
        "noise",
        10,
        "Noise of {measured:.0f} grey levels covers the picture; at most {bound:.0f} are taken. "
        "Retake it with more light, or average several exposures.",
        at_most=True,
    ),
)
HISTOLOGY = Check(
    "not_histology",
    "histology",
    0.12,
    "The picture does not look like a field of stained tissue under a microscope: it scores "
    "{measured:.3f} of 1, and at least {bound:.2f} is needed. Send an H&E field of view without "
    "frames, labels or drawings.",
)
# Checked only where HISTOLOGY fails, to say why.
STAIN = Check(
    "not_he_stained",
    "stain",
    0.5,
    "The picture's colours are not those of haematoxylin and eosin: they score {measured:.3f} of "
    "1, and at least {bound:.2f} is needed. Send the H&E-stained section; other stains, "
    "fluorescence, radiographs and photographs cannot be judged.",
)


@dataclass(frozen=True, slots=True)
class HistologyHead:
    """Boosted trees over a view's figures: how much it looks like H&E, from 0 to 1.

    Fitted by `python -m training.gate fit`, which writes two heads to `gate.npz`: `histology`
    reads every figure, `stain` those of colour alone. Every tree's nodes are in one row of arrays;
    a leaf's two children are the leaf itself.

    `names` are the figures read, in order; `roots` where each tree starts; `depth` how many
    steps lead to the deepest leaf; `value` adds to the log-odds of histology.
    """

    names: tuple[str, ...]
    roots: NDArray[np.int32]
    feature: NDArray[np.int16]
    threshold: NDArray[np.float32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    value: NDArray[np.float32]
    depth: int

    @classmethod
    def load(cls, name: str) -> Self:
        """One of the heads that ship with Healer."""
        with resources.files(__package__).joinpath("gate.npz").open("rb") as file:
            return cls.read(file, name)

    @classmethod
    def read(cls, file: IO[bytes], name: str) -> Self:
        stored = np.load(file, allow_pickle=False)
        arrays: dict[str, Any] = {key: stored[f"{name}_{key}"] for key in cls.__slots__}
        arrays["names"] = tuple(str(figure) for figure in arrays["names"])
        return cls(**arrays | {"depth": int(arrays["depth"])})

    def probability(self, figures: Mapping[str, float]) -> float:
        """From 0 to 1: how much a view with these figures looks like H&E."""
        row = np.array([figures[name] for name in self.names], np.float32)
        # Of every node at once, which takes less time than of those on the way, step by step.
        after = np.where(row[self.feature] <= self.threshold, self.left, self.right)
        at = self.roots
        for _ in range(self.depth):
            at = after[at]
        return float(1 / (1 + np.exp(-self.value[at].sum(dtype=np.float64))))


@dataclass(frozen=True, slots=True)
class GateReport:
    """`reasons` against the tile; `figures` measured before the first check that ended it."""

    reasons: tuple[Reason, ...]
    figures: dict[str, float]

    @property
    def passed(self) -> bool:
        return not self.reasons


class Gate:
    """Measures tiles against fixed thresholds; knows nothing of settings or of engines."""

    def __init__(self) -> None:
        self._histology, self._stain = HistologyHead.load("histology"), HistologyHead.load("stain")

    def assess(self, tile: Tile) -> GateReport:
        """Never raises: any tile gives a report."""
        figures = _frame(tile)
        reasons = [check.reason(figures) for check in FRAME if check.fails(figures)]
        if not reasons:
            measured = gate_figures(tile)
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
_COLOUR = ("light", "red_green", "blue_green")  # not judged: reported for monitoring the stain


def _frame(tile: Tile) -> Figures:
    sides = sorted((tile.height, tile.width))
    return {"shorter_side": float(sides[0]), "aspect": sides[1] / max(sides[0], 1)}


def gate_figures(tile: Tile) -> Figures:
    """Everything measured of a tile whose frame is in order, before any threshold."""
    view = view_of(tile.pixels)
    figures = measure_figures(view)
    figures["noise"] = noise(figures)
    reduced = view is not tile.pixels
    return figures | {"native_detail": native_detail(tile.pixels) if reduced else figures["detail"]}


def shows_tissue(tile: Tile) -> bool:
    """Whether there is more than bare glass; a small part of the work of `assess`."""
    return not TISSUE.fails({TISSUE.figure: tissue(view_of(tile.pixels))})


def _judged(figures: Figures) -> list[Reason]:
    if TISSUE.fails(figures):
        return [TISSUE.reason(figures)]
    failed = {check.code: check for check in reversed(DETAIL) if check.fails(figures)}
    if HISTOLOGY.fails(figures):
        failed["not"] = STAIN if STAIN.fails(figures) else HISTOLOGY
    return [check.reason(figures) for check in failed.values()]


GATE = Gate()


@dataclass(frozen=True, slots=True)
class LoadedTile:
    """A decoded tile. `gate` is None where the gate was off; `timings` are seconds by stage."""

    tile: Tile
    gate: GateReport | None
    timings: dict[str, float]

    @property
    def unopposed(self) -> bool:
        """False where the gate advised against the picture."""
        return self.gate is None or self.gate.passed


def refusal(report: GateReport) -> ImageNotAssessable:
    return ImageNotAssessable(
        sentences=" ".join(reason.sentence for reason in report.reasons),
        reasons=tuple(asdict(reason) for reason in report.reasons),
    )
