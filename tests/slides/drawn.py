"""A slide of drawn squares, answered by an engine for which red is cancer and blue is none."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from healer.screening.screener import Screener
from healer.slides.answer import SlideAnswer
from healer.slides.reader import Area
from healer.slides.run import SlideOptions, SlideRun, binding_of, plan_for
from healer.slides.tiles import TileParts
from tests.fake_engine import FakeEngine
from tests.slides.memory_slide import MemorySlide, glass

SIDE = 224
RED, BLUE = (200, 60, 150), (100, 150, 190)
FOCUS = Area(2, 1, 2, 2)  # in tiles
SCREENER = Screener(FakeEngine())


def drawn_slide(focus: Area | None = FOCUS, columns: int = 6, rows: int = 5) -> MemorySlide:
    """Blue tissue with a margin of a tile of glass; `focus`, in tiles, is red."""
    pixels = glass(columns * SIDE, rows * SIDE)
    paint(pixels, Area(1, 1, columns - 2, rows - 2), BLUE)
    if focus:
        paint(pixels, focus, RED)
    return MemorySlide(pixels, gated=False)


def paint(pixels: NDArray[np.uint8], tiles: Area, colour: tuple[int, int, int]) -> None:
    rows = slice(tiles.y * SIDE, tiles.bottom * SIDE)
    columns = slice(tiles.x * SIDE, tiles.right * SIDE)
    noise = np.random.default_rng(1).integers(-15, 16, pixels[rows, columns].shape)
    pixels[rows, columns] = (np.array(colour) + noise).clip(0, 255)


def answered(
    slide: MemorySlide,
    folder: Path,
    options: SlideOptions | None = None,
    second: Screener | None = None,
) -> SlideAnswer:
    chosen = options or SlideOptions()
    binding = binding_of(slide.info, SCREENER, plan_for(SCREENER, chosen.overlap))
    with TileParts(folder) as parts:
        run = SlideRun("drawn", binding, slide, SCREENER, parts, chosen, second=second)
        return run.answer()
