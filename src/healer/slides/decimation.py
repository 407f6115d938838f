"""Levels of a pyramid that their writer made by leaving pixels out, where others average them.

Several converters do so unless an option says otherwise. Such a level is as sharp and grainy as the
finest one at a fraction of its scale, and a model that learnt from averaged pictures scores it
otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from math import ceil

import numpy as np
from numpy.typing import NDArray

from healer.errors.base import RequestError
from healer.slides.reader import Level, Rgba

STEPS = range(2, 6)  # coarser levels are for maps: no tile is averaged from so much finer a one
# Sides, in the level's pixels: some writers shift by a pixel from part to part.
BLOCK, PART = 64, 16
BLOCKS = 8
# Sides of the level that says where there is something to compare, and its cells along the longer.
LEAST_SIDE, MOST_SIDE, CELLS = 256, 2048, 32
LEAST_CONTRAST = 20.0  # grey levels, standard deviation: glass says nothing
# The difference from pixels left out, over that from pixels averaged. On a slide recompressed at
# JPEG qualities 30 to 80, levels of the first kind have 0.3 to 0.93, of the second 1.3 to 3.4, and
# those that show something else altogether 1.
NEARER = 0.95

ReadLevel = Callable[[int, int, int, int, int], Rgba]
Grey = NDArray[np.float64]
Place = tuple[float, float]


def decimated_levels(levels: Sequence[Level], read_level: ReadLevel) -> frozenset[int]:
    """Their places in `levels`. `read_level` takes such a place, and left, top, width and height in
    that level's own pixels; where it cannot read, no level is called so."""
    checked = [at for at, level in enumerate(levels) if round(level.downsample) in STEPS]
    fit = [at for at, level in enumerate(levels) if max(level.width, level.height) <= MOST_SIDE]
    if not checked or not fit:
        return frozenset()
    large = [at for at in fit if min(levels[at].width, levels[at].height) >= LEAST_SIDE]
    shown = large[-1] if large else fit[0]
    try:
        grey = grey_of(read_level(shown, 0, 0, levels[shown].width, levels[shown].height))
        places = most_contrast(grey)
        return frozenset(at for at in checked if _is_decimated(levels, at, places, read_level))
    except RequestError:  # the file is damaged there, which reading its tiles will account for
        return frozenset()


def marked(levels: Sequence[Level], decimated: Collection[int]) -> tuple[Level, ...]:
    return tuple(replace(level, decimated=at in decimated) for at, level in enumerate(levels))


def most_contrast(grey: Grey) -> list[Place]:
    """As shares of width and height."""
    height, width = grey.shape
    cell = ceil(max(width, height) / CELLS)
    contrast = {
        (x / width, y / height): grey[y : y + cell, x : x + cell].std()
        for y in range(0, height, cell)
        for x in range(0, width, cell)
    }
    return sorted(contrast, key=lambda place: -contrast[place])[:BLOCKS]


def _is_decimated(
    levels: Sequence[Level], at: int, places: Sequence[Place], read_level: ReadLevel
) -> bool:
    level, step = levels[at], round(levels[at].downsample)
    left_out = averaged = 0.0
    for across, down in places:
        x = min(round(across * level.width), level.width - BLOCK)
        y = min(round(down * level.height), level.height - BLOCK)
        if min(x, y) < 0:
            continue
        block = grey_of(read_level(at, x, y, BLOCK, BLOCK))
        if block.std() < LEAST_CONTRAST:
            continue
        left, top = (round(place * level.downsample) - step for place in (x, y))
        side = (BLOCK + 2) * step
        finest = grey_of(read_level(0, left, top, side, side))
        left_out += nearest_difference(finest, block, step)
        averaged += nearest_difference(means(finest, step), block, step)
    return left_out < NEARER * averaged


def grey_of(pixels: Rgba) -> Grey:
    return np.asarray(pixels[..., :3].mean(-1))


def means(grey: Grey, step: int) -> Grey:
    """Of each square of `step` pixels."""
    sums = np.pad(grey.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    squares = sums[step:, step:] - sums[:-step, step:] - sums[step:, :-step] + sums[:-step, :-step]
    return np.asarray(squares / step**2)


def nearest_difference(finer: Grey, block: Grey, step: int) -> float:
    """The mean absolute one of every `step`-th pixel, each part shifted as suits it best."""
    span = (len(block) - 1) * step + 1
    parts = len(block) // PART
    best = np.full((parts, parts), np.inf)
    for top in range(len(finer) - span + 1):
        for left in range(len(finer) - span + 1):
            taken = finer[top : top + span : step, left : left + span : step]
            differences = np.abs(taken - block).reshape(parts, PART, parts, PART)
            best = np.minimum(best, differences.mean((1, 3)))
    return float(best.mean())
