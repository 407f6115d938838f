"""The gate's questions: each has a figure, a threshold, and a sentence for those who fail it.

Why the thresholds are where they are, and what they were measured on, is in docs/gate.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


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


# Of the picture's frame. What fails here is not looked at further.
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
# Bare glass has nothing that could be blurred or stained, so nothing else is said of it.
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
# Asked only where HISTOLOGY fails, to say why.
STAIN = Check(
    "not_he_stained",
    "stain",
    0.5,
    "The picture's colours are not those of haematoxylin and eosin: they score {measured:.3f} of "
    "1, and at least {bound:.2f} is needed. Send the H&E-stained section; other stains, "
    "fluorescence, radiographs and photographs cannot be judged.",
)
