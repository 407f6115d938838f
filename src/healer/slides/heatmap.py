"""The map of a slide: probabilities drawn over its thumbnail, and as a pyramid of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import tifffile
from numpy.typing import NDArray
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from healer import NOTICE
from healer.files.disk import atomic_write
from healer.slides.reader import Area, SlideInfo
from healer.slides.scoring import TileResult

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]
THUMBNAIL_SIDE = 1600  # pixels at most, along the longer side
FINEST = 2.0  # micrometres per pixel of a thumbnail
PNG_LEVEL = 3  # noise hardly shrinks further, and takes several times as long
MAP_UM_PER_PX = 8.0  # of the pyramid's finest level
LEVEL_UM_PER_PX = (4.0, 16.0)  # a level of the slide's own between these is taken instead
# Viridis (van der Walt and Smith 2015): even steps to every eye, and unlike any stain.
COLOURS = np.array(
    [(68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37)], np.float32
)
FAINTEST, STRONGEST = 0.15, 0.75  # opacity, so that tissue is seen where little speaks for cancer
NOT_READ = (120, 120, 120, 150)
PYRAMID_TILE = 256
LEAST_LEVEL = 256  # pixels, along the longer side


@dataclass(frozen=True, slots=True)
class Raster:
    """A picture of `width` × `height` pixels of the whole of a slide of `size`."""

    width: int
    height: int
    size: tuple[int, int]

    def pixels(self, area: Area) -> tuple[slice, slice]:
        """Those whose centres lie in `area`."""
        across, down = self.size[0] / self.width, self.size[1] / self.height
        return _centres(area.y, area.bottom, down), _centres(area.x, area.right, across)


def _centres(start: int, stop: int, step: float) -> slice:
    first, last = (max(0, int(np.ceil(edge / step - 0.5))) for edge in (start, stop))
    return slice(first, last)


def probability_map(results: Iterable[TileResult], raster: Raster) -> Floats:
    """Of each pixel the mean of the tiles that cover it; NaN where none was scored."""
    total = np.zeros((raster.height, raster.width), np.float32)
    count = np.zeros((raster.height, raster.width), np.uint16)
    for result in results:
        if result.probability is not None:
            pixels = raster.pixels(result.area)
            total[pixels] += result.probability
            count[pixels] += 1
    return np.where(count > 0, total / np.maximum(count, 1), np.nan).astype(np.float32)


def coloured(probabilities: Floats) -> Pixels:
    """RGBA, clear where there is no probability."""
    shares = np.nan_to_num(probabilities, nan=0.0).clip(0, 1)
    at = shares * (len(COLOURS) - 1)
    low = np.minimum(at.astype(np.intp), len(COLOURS) - 2)
    part = (at - low)[..., None]
    colours = COLOURS[low] * (1 - part) + COLOURS[low + 1] * part
    opacity = 255 * (FAINTEST + (STRONGEST - FAINTEST) * shares)
    opacity[np.isnan(probabilities)] = 0
    return np.concatenate([colours, opacity[..., None]], axis=2).round().astype(np.uint8)


def overlay(
    results: Sequence[TileResult], tissue: NDArray[np.bool_], raster: Raster
) -> Image.Image:
    """RGBA over a thumbnail; tissue that was not scored is grey, wherever its tile failed or was
    not reached."""
    probabilities = probability_map(results, raster)
    layer = coloured(probabilities)
    mask = Image.fromarray(tissue).resize((raster.width, raster.height), Image.Resampling.NEAREST)
    layer[np.asarray(mask) & np.isnan(probabilities)] = NOT_READ
    return Image.fromarray(layer)


def thumbnail_scale(info: SlideInfo) -> float:
    """Micrometres per pixel at which the longer side has THUMBNAIL_SIDE pixels, or fewer."""
    (width, height), scale = info.size, info.resolution
    return max(width * scale.x, height * scale.y, THUMBNAIL_SIDE * FINEST) / THUMBNAIL_SIDE


def write_picture(place: Path, picture: Image.Image) -> None:
    """A PNG that carries the notice. Raises OSError."""
    notes = PngInfo()
    notes.add_text("Comment", NOTICE)
    with atomic_write(place) as stream:
        picture.save(stream, "PNG", pnginfo=notes, compress_level=PNG_LEVEL)


def over(thumbnail: Image.Image, layer: Image.Image) -> Image.Image:
    return Image.alpha_composite(thumbnail.convert("RGBA"), layer).convert("RGB")


def map_downsample(info: SlideInfo) -> float:
    """Level-0 pixels per pixel of the pyramid: a level of the slide's own where one has about its
    scale, a power of two otherwise."""
    scale = info.resolution.mean
    low, high = LEVEL_UM_PER_PX
    near = [each.downsample for each in info.levels if low <= each.downsample * scale <= high]
    if near:
        return min(near, key=lambda each: abs(np.log(each * scale / MAP_UM_PER_PX)))
    return float(2 ** max(0, round(np.log2(MAP_UM_PER_PX / scale))))


def write_pyramid(place: Path, results: Sequence[TileResult], info: SlideInfo) -> None:
    """An OME-TIFF of two channels, each from 0 to 1: the probability, and whether it was scored.
    Raises OSError."""
    downsample = map_downsample(info)
    (width, height), scale = info.size, info.resolution
    raster = Raster(
        max(1, round(width / downsample)), max(1, round(height / downsample)), info.size
    )
    probabilities = probability_map(results, raster)
    read = ~np.isnan(probabilities)
    levels = [np.stack([np.nan_to_num(probabilities), read.astype(np.float32)])]
    while max(levels[-1].shape[1:]) > LEAST_LEVEL:
        levels.append(_halved(levels[-1]))
    metadata = {
        "axes": "CYX",
        "Name": "healer: probability of colorectal cancer",
        "Description": NOTICE,
        "Channel": {"Name": ["probability", "scored"]},
        "PhysicalSizeX": scale.x * width / raster.width,
        "PhysicalSizeXUnit": "µm",
        "PhysicalSizeY": scale.y * height / raster.height,
        "PhysicalSizeYUnit": "µm",
    }
    with atomic_write(place) as stream:
        _write_levels(stream, levels, metadata)


def _write_levels(stream: BinaryIO, levels: Sequence[Floats], metadata: dict[str, Any]) -> None:
    options: dict[str, Any] = {
        "photometric": "minisblack",
        "tile": (PYRAMID_TILE, PYRAMID_TILE),
        "compression": "zlib",
        "planarconfig": "separate",
    }
    with tifffile.TiffWriter(stream, ome=True) as writer:
        writer.write(levels[0], subifds=len(levels) - 1, metadata=metadata, **options)
        for level in levels[1:]:
            writer.write(level, subfiletype=1, **options)


def _halved(level: Floats) -> Floats:
    """Means of what was scored: glass must not thin out a small lesion."""
    _, height, width = level.shape
    even = np.pad(level, ((0, 0), (0, height % 2), (0, width % 2)))
    _, height, width = even.shape
    probability, scored = even.reshape(2, height // 2, 2, width // 2, 2).sum(axis=(2, 4))
    return np.stack([probability / np.maximum(scored, 1), np.minimum(scored, 1)]).astype(np.float32)
