"""The seam: what Healer asks of a slide, whichever format and library it is read with.

Every coordinate is in level-0 pixels, those of the finest level. Pixels come as RGBA: alpha 0 is
what the scanner left out. Labels, macro images and barcodes are never opened.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from healer.errors.base import HealerError
from healer.quality.gate import LoadedTile

if TYPE_CHECKING:
    from healer.settings.model import GateMode

Rgba = NDArray[np.uint8]  # (height, width, 4)
UM2_PER_MM2 = 1e6
# `raw` leaves colours as stored; `srgb` applies the slide's own ICC profile. The choice changes
# what a model sees, and so is part of what a calibration was fitted for.
ColourChoice = Literal["raw", "srgb"]


@dataclass(frozen=True, slots=True)
class Area:
    """A rectangle in level-0 pixels; `x` and `y` are its upper left corner."""

    x: int
    y: int
    width: int
    height: int

    @property
    def right(self) -> int:
        return self.x + self.width

    @property
    def bottom(self) -> int:
        return self.y + self.height

    @property
    def centre(self) -> tuple[float, float]:
        return self.x + self.width / 2, self.y + self.height / 2

    def intersection(self, other: Area) -> Area | None:
        """None where they share no pixel."""
        left, top = max(self.x, other.x), max(self.y, other.y)
        width = min(self.right, other.right) - left
        height = min(self.bottom, other.bottom) - top
        return Area(left, top, width, height) if width > 0 and height > 0 else None


@dataclass(frozen=True, slots=True)
class Resolution:
    """Micrometres per level-0 pixel along each axis; `source` names what stated them."""

    x: float
    y: float
    source: str

    @property
    def mean(self) -> float:
        return float((self.x * self.y) ** 0.5)

    def mm2(self, area: Area) -> float:
        return area.width * self.x * area.height * self.y / UM2_PER_MM2

    def mm(self, area: Area) -> tuple[float, float, float, float]:
        """Left, top, width and height in millimetres."""
        across, down = self.x / 1000, self.y / 1000
        return area.x * across, area.y * down, area.width * across, area.height * down


@dataclass(frozen=True, slots=True)
class Level:
    """One level of the pyramid; `downsample` is level-0 pixels per pixel of this level.
    `decimated` where its writer left pixels out instead of averaging them."""

    width: int
    height: int
    downsample: float
    decimated: bool = False


@dataclass(frozen=True, slots=True)
class SlideInfo:
    """What a slide says of itself, without anything that could name a patient.

    `bounds` is the part of level 0 that was scanned. `properties` are those of an allow list.
    `reader` names the library, its version and the format. `content_hash` distinguishes slides by
    their content; it is of no use in a log, where `log_key` stands for the slide.
    """

    size: tuple[int, int]
    resolution: Resolution
    levels: tuple[Level, ...]
    bounds: Area
    properties: Mapping[str, str]
    reader: str
    colour: ColourChoice
    content_hash: str
    log_key: str


@dataclass(frozen=True, slots=True)
class TileRead:
    """One area as a tile that passed or failed the gate, or why it could not be read.

    What the scanner left out is white in it; `scanned` is the share of it that was not."""

    area: Area
    loaded: LoadedTile | HealerError
    scanned: float = 1.0


@dataclass(frozen=True, slots=True)
class Overview:
    """A whole slide, small. `scale` is level-0 pixels per pixel along each axis; `unreadable`
    (height, width) marks where the file is damaged."""

    pixels: Rgba
    unreadable: NDArray[np.bool_]
    scale: tuple[float, float]


@runtime_checkable
class SlideReader(Protocol):
    """An open slide. For one thread at a time."""

    @property
    def info(self) -> SlideInfo: ...

    def read(self, area: Area, size: tuple[int, int]) -> Rgba:
        """`area`, which may reach past the slide, as an image `size` (width, height) pixels wide.

        Alpha is not premultiplied. Raises AreaUnreadable where the file is damaged there; other
        areas can be read after that.
        """
        ...

    def overview(self, um_per_px: float) -> Overview:
        """All of level 0 at about that scale."""
        ...

    def thumbnail(self, um_per_px: float) -> Rgba:
        """The overview's pixels."""
        ...

    def tiles(
        self, areas: Iterable[Area], size: tuple[int, int], gate: GateMode = "warn"
    ) -> Iterator[TileRead]:
        """Each area in order, read ahead of who consumes them; one that fails gives its error."""
        ...

    def close(self) -> None: ...
