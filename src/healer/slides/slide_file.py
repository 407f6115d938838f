"""What both readers of slide files report of a file, and the properties that may leave them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from healer.errors.slides import SlideUnsupported
from healer.slides.geometry import Area, Level
from healer.slides.reader import ColourChoice
from healer.slides.resolution import StatedResolution, positive
from healer.slides.sampling import LevelSource

# Everything else may hold a name, a date or an accession number. Of these, numbers alone are taken.
ALLOWED_PROPERTIES = (
    "aperio.AppMag",
    "aperio.MPP",
    "hamamatsu.SourceLens",
    "mirax.GENERAL.OBJECTIVE_MAGNIFICATION",
    "openslide.icc-size",
    "openslide.mpp-x",
    "openslide.mpp-y",
    "openslide.objective-power",
    "tiff.XResolution",
    "tiff.YResolution",
)
MOST_SIDE = 2**20  # pixels: 52 cm at 0.5 µm. What claims more is not a slide's scan.
MOST_AREA = 2.5e11


@dataclass(frozen=True, slots=True)
class SlideDescription:
    """`colour` is the choice that was carried out: `raw` where a slide has no profile."""

    reader: str
    levels: tuple[Level, ...]
    bounds: Area
    statements: tuple[StatedResolution, ...]
    magnification: float | None
    properties: Mapping[str, str]
    colour: ColourChoice


class SlideFile(LevelSource, Protocol):
    """An open file, in the process that decodes it."""

    @property
    def description(self) -> SlideDescription: ...

    def close(self) -> None: ...


def allowed(properties: Mapping[str, str]) -> dict[str, str]:
    return {
        name: f"{number:g}"
        for name in ALLOWED_PROPERTIES
        if (number := positive(properties.get(name))) is not None
    }


def check_size(width: int, height: int) -> None:
    """Raises SlideUnsupported."""
    if min(width, height) < 1 or max(width, height) > MOST_SIDE or width * height > MOST_AREA:
        raise SlideUnsupported(
            f"{width:,} × {height:,} pixels by its own account, which no scan of a slide has",
            "Copy or export it again.",
        )
