"""A whole slide, small, put together from blocks: a damaged one leaves its neighbours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from healer.errors.slides import AreaUnreadable
from healer.slides.geometry import Area
from healer.slides.reader import Overview, Rgba, SlideInfo

BLOCK = 512  # pixels of the overview
LEAST_BLOCK = 32  # where a block is damaged, its quarters are read, down to this side
MOST_PIXELS = 16 * 1024 * 1024  # of an overview: 64 MB. Larger slides get a coarser one.

ReadArea = Callable[[Area, tuple[int, int]], Rgba]


class Block(NamedTuple):
    """A part of an overview, in its pixels, and where that is on the slide."""

    left: int
    top: int
    width: int
    height: int
    area: Area


class BlockRead(NamedTuple):
    block: Block
    pixels: Rgba
    unreadable: NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Canvas:
    """An overview in the making."""

    pixels: Rgba
    unreadable: NDArray[np.bool_]
    scale: tuple[float, float]

    @classmethod
    def of(cls, info: SlideInfo, um_per_px: float) -> Canvas:
        width, height = info.size
        across, down = width * info.resolution.x, height * info.resolution.y
        um = max(um_per_px, (across * down / MOST_PIXELS) ** 0.5)
        size = (max(1, round(across / um)), max(1, round(down / um)))
        return cls(
            np.zeros((size[1], size[0], 4), np.uint8),
            np.zeros((size[1], size[0]), np.bool_),
            (width / size[0], height / size[1]),
        )

    def blocks(self) -> Iterator[Block]:
        height, width = self.unreadable.shape
        for top in range(0, height, BLOCK):
            for left in range(0, width, BLOCK):
                yield self._block(left, top, min(BLOCK, width - left), min(BLOCK, height - top))

    def put(self, block: Block, pixels: Rgba, unreadable: NDArray[np.bool_]) -> None:
        place = (
            slice(block.top, block.top + block.height),
            slice(block.left, block.left + block.width),
        )
        self.pixels[place], self.unreadable[place] = pixels, unreadable

    def overview(self) -> Overview:
        return Overview(self.pixels, self.unreadable, self.scale)

    def _block(self, left: int, top: int, width: int, height: int) -> Block:
        x, y = round(left * self.scale[0]), round(top * self.scale[1])
        right, bottom = ceil((left + width) * self.scale[0]), ceil((top + height) * self.scale[1])
        return Block(left, top, width, height, Area(x, y, right - x, bottom - y))


def read_block(read: ReadArea, block: Block) -> BlockRead:
    """What of it can be read; `unreadable` marks the rest."""
    try:
        pixels = read(block.area, (block.width, block.height))
    except AreaUnreadable:
        if max(block.width, block.height) <= LEAST_BLOCK:
            shape = (block.height, block.width)
            return BlockRead(block, np.zeros((*shape, 4), np.uint8), np.ones(shape, np.bool_))
        return _read_in_quarters(read, block)
    return BlockRead(block, pixels, np.zeros(pixels.shape[:2], np.bool_))


def _read_in_quarters(read: ReadArea, block: Block) -> BlockRead:
    pixels = np.zeros((block.height, block.width, 4), np.uint8)
    unreadable = np.ones((block.height, block.width), np.bool_)
    for quarter in _quarters(block):
        part = read_block(read, quarter)
        top, left = quarter.top - block.top, quarter.left - block.left
        place = (slice(top, top + quarter.height), slice(left, left + quarter.width))
        pixels[place], unreadable[place] = part.pixels, part.unreadable
    return BlockRead(block, pixels, unreadable)


def _quarters(block: Block) -> Iterator[Block]:
    half_width, half_height = ceil(block.width / 2), ceil(block.height / 2)
    scale_x, scale_y = block.area.width / block.width, block.area.height / block.height
    for top in range(0, block.height, half_height):
        for left in range(0, block.width, half_width):
            width = min(half_width, block.width - left)
            height = min(half_height, block.height - top)
            area = Area(
                block.area.x + round(left * scale_x),
                block.area.y + round(top * scale_y),
                max(1, round(width * scale_x)),
                max(1, round(height * scale_y)),
            )
            yield Block(block.left + left, block.top + top, width, height, area)
