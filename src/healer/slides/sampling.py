"""Pixels of any area at any scale, out of a pyramid's levels, in bounded memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import Protocol

import numpy as np
from PIL import Image

from healer.slides.geometry import Area, Level
from healer.slides.reader import Rgba

# Of one level, decoded at once: 16 MB. Larger areas are read in pieces.
MOST_PIXELS = 4 * 1024 * 1024
FINER = 1.01  # a level may be this much coarser than what is wanted: 2.0005 will do for 2
LEVEL_TOLERANCE = 2.0  # pixels by which a level's sides may be off: writers round up or down


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
    """The coarsest that is no coarser than `scale` level-0 pixels per pixel."""
    fine = [i for i, level in enumerate(levels) if level.downsample <= max(scale, 1) * FINER]
    return max(fine, key=lambda i: levels[i].downsample, default=0)


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part of the picture to be made, in its own pixels."""

    left: int
    top: int
    right: int
    bottom: int


def read_area(source: LevelSource, area: Area, size: tuple[int, int]) -> Rgba:
    """`area` (level-0 pixels) as RGBA of `size` (width, height), each pixel the mean of what it
    covers. Raises what `read_level` does."""
    width, height = size
    scale_x, scale_y = area.width / width, area.height / height
    level = best_level(source.levels, min(scale_x, scale_y))
    picture = np.empty((height, width, 4), np.uint8)
    downsample = source.levels[level].downsample
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
