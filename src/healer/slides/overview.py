"""A whole slide, small, put together from blocks, and where on it there is tissue.

A damaged block leaves its neighbours. Tissue is what absorbs light or has colour, at 8 µm a pixel.
Generous on purpose: what is no tissue after all (pen, dust, folds of glue) is then refused by the
gate, and stands in the account of what was read; tissue left out here would stand nowhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter
from scipy import ndimage

from healer.errors.slides import AreaUnreadable, NotBrightfield
from healer.slides.reader import Area, Overview, Resolution, Rgba, SlideInfo, SlideReader

BLOCK = 512  # pixels of the overview
LEAST_BLOCK = 32  # where a block is damaged, its quarters are read, down to this side
MOST_PIXELS = 16 * 1024 * 1024  # of an overview: 64 MB. Larger slides get a coarser one.

ReadArea = Callable[[Area, tuple[int, int]], Rgba]
MASK_UM_PER_PX = 8.0
SMALLEST_MM2 = 0.02  # of a piece of tissue; fragments of 0.05 mm² are kept whatever their shape
GAP_UM = 64.0  # closed: fat is thin walls around what looks like glass
LARGEST_HOLE_MM2 = 0.02

BAND_ROWS = 256
LOG_LEVEL = np.log(np.arange(256, dtype=np.float32) + 1)
BLACK = 24  # of 255, in the brightest channel: padding and what lies beside the slide
GROUND_SAMPLE = 500_000  # pixels
GROUND_SHARE = 0.02  # of the brightest pixels, from which the colour of bare glass is taken
LEAST_GROUND = 160.0  # a slide without any glass has that for its ground
# Mean optical density above bare glass, and its spread over the channels. Glass varies by a third
# of the least of them; pale fat and mucus are between, and have colour.
DENSE, PALE, COLOURED = 0.12, 0.025, 0.03
# Nuclei at this scale leave more than 40 of 255 in every channel; fluorescence leaves most at 0.
BRIGHTFIELD_LEVEL, BRIGHTFIELD_SHARE = 40, 0.5


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

    def filled(self, reads: Iterable[BlockRead]) -> Overview:
        for read in reads:
            self.put(*read)
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


@dataclass(frozen=True, slots=True)
class Mask:
    """`tissue` (height, width) says where tissue is on all of level 0; `scale` is level-0 pixels
    per pixel along each axis. What cannot be read at this scale counts as tissue, and is
    `unreadable`."""

    um_per_px: float
    tissue: NDArray[np.bool_]
    unreadable: NDArray[np.bool_]
    scale: tuple[float, float]
    mm2: float
    mm2_per_px: float

    def part(self, area: Area) -> NDArray[np.bool_]:
        """The tissue of pixels whose centres lie in `area`."""
        return self.tissue[self.pixels(area)]

    def pixels(self, area: Area) -> tuple[slice, slice]:
        """Rows and columns of the pixels whose centres lie in `area`."""
        across, down = self.scale
        rows = _between(area.y, area.bottom, down, self.tissue.shape[0])
        columns = _between(area.x, area.right, across, self.tissue.shape[1])
        return rows, columns


def _between(start: int, end: int, scale: float, count: int) -> slice:
    first, last = (int(np.ceil(edge / scale - 0.5)) for edge in (start, end))
    return slice(min(max(first, 0), count), min(max(last, 0), count))


def tissue_mask(reader: SlideReader) -> Mask:
    """Raises NotBrightfield, and what the reader does."""
    return mask_of(reader.overview(MASK_UM_PER_PX), reader.info.resolution)


def mask_of(overview: Overview, resolution: Resolution) -> Mask:
    across, down = overview.scale[0] * resolution.x, overview.scale[1] * resolution.y
    mm2_per_px = across * down / 1e6
    um_per_px = float(np.sqrt(across * down))
    visible = shown(overview.pixels)
    check_brightfield(overview.pixels, visible)
    tissue = cleaned(absorbing(overview.pixels, visible), um_per_px, mm2_per_px)
    tissue |= overview.unreadable
    return Mask(
        um_per_px=um_per_px,
        tissue=tissue,
        unreadable=overview.unreadable,
        scale=overview.scale,
        mm2=float(tissue.sum()) * mm2_per_px,
        mm2_per_px=mm2_per_px,
    )


def shown(pixels: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Of RGBA: scanned, and not the black that some scanners put where they did not."""
    visible: NDArray[np.bool_] = (pixels[..., 3] > 0) & (pixels[..., :3].max(axis=2) > BLACK)
    return visible


def check_brightfield(pixels: NDArray[np.uint8], visible: NDArray[np.bool_]) -> None:
    """Raises NotBrightfield for a picture of light in the dark."""
    scanned = pixels[..., 3] > 0
    if not scanned.any():
        return
    bright = pixels[..., :3].min(axis=2) > BRIGHTFIELD_LEVEL
    share = float(bright[visible].mean()) if visible.any() else 0.0
    if share < BRIGHTFIELD_SHARE:
        raise NotBrightfield(
            f"{1 - share:.0%} of what it shows is light of single colours on a dark ground"
        )


def absorbing(pixels: NDArray[np.uint8], visible: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels denser than glass, or as pale as fat but coloured."""
    if not visible.any():
        return visible
    ground = ground_colour(sampled(pixels, visible, GROUND_SAMPLE))
    absorbs = np.empty_like(visible)
    for top in range(0, len(pixels), BAND_ROWS):
        start, end = max(top - 1, 0), top + BAND_ROWS
        band = _absorbing(np.ascontiguousarray(pixels[start : end + 1, :, :3]), ground)
        absorbs[top:end] = band[top - start :][: len(absorbs[top:end])]
    return absorbs & visible


def _absorbing(pixels: NDArray[np.uint8], ground: NDArray[np.float32]) -> NDArray[np.bool_]:
    # A mean of 3 by 3 takes the grain off; edges of tissue widen by half a pixel.
    blurred = Image.fromarray(pixels).filter(ImageFilter.BoxBlur(1))
    red, green, blue = (
        (np.log(channel_ground + 1) - LOG_LEVEL)[np.asarray(channel)]
        for channel, channel_ground in zip(blurred.split(), ground, strict=True)
    )
    mean = (red + green + blue) / 3
    spread = np.maximum(np.maximum(red, green), blue) - np.minimum(np.minimum(red, green), blue)
    absorbs: NDArray[np.bool_] = (mean > DENSE) | ((mean > PALE) & (spread > COLOURED))
    return absorbs


def sampled(pixels: NDArray[np.uint8], visible: NDArray[np.bool_], about: int) -> NDArray[np.uint8]:
    """Colours (pixels, 3) of visible pixels, evenly spread; a band at a time, for a copy of all
    would take as much memory as the overview."""
    step, before, parts = max(1, int(visible.sum()) // about), 0, []
    for top in range(0, len(pixels), BAND_ROWS):
        band = slice(top, top + BAND_ROWS)
        colours = pixels[band][..., :3][visible[band]]
        parts.append(colours[-before % step :: step])
        before += len(colours)
    return np.concatenate(parts)


def ground_colour(sample: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Of bare glass: the mean of the brightest pixels of a sample (pixels, 3)."""
    light = sample.mean(axis=1, dtype=np.float32)
    brightest = sample[light >= np.quantile(light, 1 - GROUND_SHARE)].mean(axis=0, dtype=np.float32)
    ground: NDArray[np.float32] = np.maximum(brightest, LEAST_GROUND).astype(np.float32)
    return ground


def cleaned(tissue: NDArray[np.bool_], um_per_px: float, mm2_per_px: float) -> NDArray[np.bool_]:
    """Gaps closed, small holes filled, specks removed."""
    closed = _closed(tissue, round(GAP_UM / 2 / um_per_px))
    filled = ~_without_small(~closed, LARGEST_HOLE_MM2 / mm2_per_px)
    return _without_small(filled, SMALLEST_MM2 / mm2_per_px)


def _closed(mask: NDArray[np.bool_], radius: int) -> NDArray[np.bool_]:
    """Grown by squares and shrunk again. The slide's edge closes nothing."""
    side = 2 * radius + 1
    padded = np.pad(mask, radius).view(np.uint8)
    grown = ndimage.maximum_filter(padded, side, mode="constant")
    closed: NDArray[np.bool_] = ndimage.minimum_filter(grown, side, mode="nearest").view(np.bool_)
    return closed[radius:-radius, radius:-radius] if radius else closed


def _without_small(mask: NDArray[np.bool_], least: float) -> NDArray[np.bool_]:
    """Without connected pieces of fewer than `least` pixels."""
    labels, count = ndimage.label(mask)
    sizes = np.zeros(count + 1, np.int64)
    for top in range(0, len(labels), BAND_ROWS):  # for numpy counts in a copy of eight bytes each
        sizes += np.bincount(labels[top : top + BAND_ROWS].ravel(), minlength=count + 1)
    large = sizes >= least
    large[0] = False
    kept: NDArray[np.bool_] = large[labels]
    return kept
