"""What both readers of slide files report of a file: its scale, its levels, and their pixels.

Pixels of any area come at any scale, out of a pyramid's levels, in bounded memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from io import BytesIO
from math import ceil, floor, isfinite
from typing import Protocol

import numpy as np
from PIL import Image, ImageCms

from healer.errors.slides import (
    NoResolution,
    ResolutionContradictory,
    SlideDamaged,
    SlideUnsupported,
)
from healer.slides.reader import Area, ColourChoice, Level, Resolution, Rgba

# Micrometres per pixel. What lies outside is a default of a screen or a printer: 72 dpi is 352.8.
PLAUSIBLE = (0.1, 20.0)
AGREEMENT = 1.05  # sources whose values differ by a larger factor contradict each other
MOST_ELONGATED = 2.0  # of a pixel: the longer side over the shorter
# Micrometres per pixel times magnification: about 10 for most scanners, 4.6 where an adapter
# enlarges a 20x objective's picture. Far outside, one of the two is wrong.
PLAUSIBLE_PRODUCT = (2.5, 40.0)

UM_PER_UNIT = {"nm": 1e-3, "µm": 1.0, "μm": 1.0, "um": 1.0, "mm": 1e3, "cm": 1e4, "m": 1e6}
# Of one level, decoded at once: 16 MB. Larger areas are read in pieces.
MOST_PIXELS = 4 * 1024 * 1024
FINER = 1.01  # a level may be this much coarser than what is wanted: 2.0005 will do for 2
# A finer level is averaged here in place of a decimated one, where it is at most this much finer:
# a tile then costs 16 times the pixels; a map of the whole slide would cost thousands.
MOST_AVERAGED = 5.0
LEVEL_TOLERANCE = 2.0  # pixels by which a level's sides may be off: writers round up or down
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


class LevelSource(Protocol):
    """A pyramid of which a rectangle of one level can be decoded."""

    @property
    def levels(self) -> Sequence[Level]: ...

    def read_level(self, level: int, x: int, y: int, width: int, height: int) -> Rgba:
        """In that level's own pixels; alpha 0 outside it and where nothing was scanned."""
        ...


def honest_levels(sizes: Sequence[tuple[int, int]]) -> dict[int, Level]:
    """By their place in the file: those that are level 0 made smaller, finest first.

    A level whose sides are in another proportion would show what lies elsewhere.
    """
    width, height = sizes[0]
    levels: dict[int, Level] = {}
    for place, (level_width, level_height) in enumerate(sizes):
        if level_width < 1 or level_height < 1:
            continue
        # The longer side is rounded by the smaller share.
        downsample = width / level_width if width >= height else height / level_height
        off_x = abs(width / downsample - level_width)
        off_y = abs(height / downsample - level_height)
        if downsample >= 1 and max(off_x, off_y) <= LEVEL_TOLERANCE:
            levels[place] = Level(level_width, level_height, downsample)
    return dict(sorted(levels.items(), key=lambda item: item[1].downsample))


def best_level(levels: Sequence[Level], scale: float) -> int:
    """The coarsest that is no coarser than `scale` level-0 pixels per pixel; a decimated one only
    where finer ones would cost too much."""
    fine = [i for i, level in enumerate(levels) if level.downsample <= max(scale, 1) * FINER]
    averaged = [i for i in fine if not levels[i].decimated]
    best, other = (
        max(of, key=lambda i: levels[i].downsample, default=0) for of in (fine, averaged)
    )
    return other if scale <= MOST_AVERAGED * levels[other].downsample else best


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of the picture to be made, in its own pixels."""

    left: int
    top: int
    right: int
    bottom: int


def read_area(
    source: LevelSource,
    area: Area,
    size: tuple[int, int],
    levels: Sequence[Level] | None = None,
) -> Rgba:
    """`area` (level-0 pixels) as RGBA of `size` (width, height), each pixel the mean of what it
    covers. `levels` are those of `source`, where more is known of them. Raises what `read_level`
    does."""
    width, height = size
    scale_x, scale_y = area.width / width, area.height / height
    levels = levels or source.levels
    level = best_level(levels, min(scale_x, scale_y))
    picture = np.empty((height, width, 4), np.uint8)
    downsample = levels[level].downsample
    for piece in _pieces(size, scale_x / downsample, scale_y / downsample):
        picture[piece.top : piece.bottom, piece.left : piece.right] = _read_piece(
            source, level, area, (scale_x, scale_y), piece
        )
    return picture


def _pieces(size: tuple[int, int], level_x: float, level_y: float) -> list[_Piece]:
    """Squares of at most MOST_PIXELS of the level, of which a pixel covers `level_x` × `level_y`"""
    width, height = size
    across = max(1, floor(MOST_PIXELS**0.5 / max(level_x, 1)))
    down = max(1, floor(MOST_PIXELS**0.5 / max(level_y, 1)))
    return [
        _Piece(left, top, min(left + across, width), min(top + down, height))
        for top in range(0, height, down)
        for left in range(0, width, across)
    ]


def _read_piece(
    source: LevelSource, level: int, area: Area, scale: tuple[float, float], piece: _Piece
) -> Rgba:
    downsample = source.levels[level].downsample
    left, right = ((area.x + edge * scale[0]) / downsample for edge in (piece.left, piece.right))
    top, bottom = ((area.y + edge * scale[1]) / downsample for edge in (piece.top, piece.bottom))
    x, y = floor(left + 1e-6), floor(top + 1e-6)
    width, height = max(1, ceil(right - 1e-6) - x), max(1, ceil(bottom - 1e-6) - y)
    pixels = source.read_level(level, x, y, width, height)
    size = (piece.right - piece.left, piece.bottom - piece.top)
    box = (max(left - x, 0), max(top - y, 0), min(right - x, width), min(bottom - y, height))
    if (width, height) == size and box == (0, 0, width, height):
        return pixels
    # Pillow premultiplies alpha while it resizes: what was left out does not darken its edge.
    resized = Image.fromarray(pixels).resize(size, Image.Resampling.BILINEAR, box=box)
    return np.asarray(resized)


class ToSrgb:
    """A transform from a profile to sRGB, of RGB alone."""

    def __init__(self, profile: bytes) -> None:
        """Raises SlideDamaged where the profile cannot be used."""
        try:
            source = ImageCms.ImageCmsProfile(BytesIO(profile))
            self._transform = ImageCms.buildTransform(
                source,
                ImageCms.createProfile("sRGB"),
                "RGB",
                "RGB",
                ImageCms.Intent.RELATIVE_COLORIMETRIC,
            )
        except (OSError, ImageCms.PyCMSError):
            raise SlideDamaged("its ICC profile cannot be used; read it with raw colours") from None

    def apply(self, pixels: Rgba) -> Rgba:
        image = Image.fromarray(np.ascontiguousarray(pixels[..., :3]))
        ImageCms.applyTransform(image, self._transform, inPlace=True)
        return np.dstack([np.asarray(image), pixels[..., 3]])


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
