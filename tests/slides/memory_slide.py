"""A slide in memory, for tests of what is done with one; reading files is tested apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from healer.errors.base import HealerError
from healer.errors.slides import AreaUnreadable
from healer.images.tile import Tile
from healer.quality.gate import GATE, LoadedTile
from healer.settings.model import GateMode
from healer.slides.reader import Area, Level, Overview, Resolution, Rgba, SlideInfo, TileRead
from healer.slides.scoring import on_white

GLASS = (238, 244, 243)  # less red than green: no cancer to the engine of tests


@dataclass
class MemorySlide:
    """`pixels` is RGB at `um_per_px`; whatever touches `damaged` cannot be read."""

    pixels: NDArray[np.uint8]
    um_per_px: float = 1.0
    damaged: tuple[Area, ...] = ()
    bounds: Area | None = None
    content_hash: str = "5eed"
    gated: bool = True
    tiles_read: int = field(default=0, init=False)
    stop_after: int | None = None

    @cached_property
    def image(self) -> Image.Image:
        return Image.fromarray(self.pixels).convert("RGBA")

    @property
    def info(self) -> SlideInfo:
        height, width = self.pixels.shape[:2]
        return SlideInfo(
            size=(width, height),
            resolution=Resolution(self.um_per_px, self.um_per_px, "test"),
            levels=(Level(width, height, 1.0),),
            bounds=self.bounds or Area(0, 0, width, height),
            properties={},
            reader="memory",
            colour="raw",
            content_hash=self.content_hash,
            log_key="key",
        )

    def read(self, area: Area, size: tuple[int, int]) -> Rgba:
        if any(area.intersection(hole) for hole in self.damaged):
            raise AreaUnreadable(area.x, area.y, area.width, area.height, "a damaged JPEG")
        box = (area.x, area.y, area.right, area.bottom)
        return np.asarray(self.image.crop(box).resize(size, Image.Resampling.BOX))

    def thumbnail(self, um_per_px: float) -> Rgba:
        return self.overview(um_per_px).pixels

    def overview(self, um_per_px: float) -> Overview:
        height, width = self.pixels.shape[:2]
        scale = self.um_per_px / um_per_px
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = self.image.resize(size, Image.Resampling.BOX)
        unreadable = np.zeros((size[1], size[0]), np.bool_)
        return Overview(np.asarray(small), unreadable, (width / size[0], height / size[1]))

    def tiles(
        self, areas: Iterable[Area], size: tuple[int, int], gate: GateMode = "warn"
    ) -> Iterator[TileRead]:
        for area in areas:
            if self.stop_after is not None and self.tiles_read >= self.stop_after:
                raise KeyboardInterrupt
            self.tiles_read += 1
            yield TileRead(area, self._loaded(area, size, gate))

    def _loaded(
        self, area: Area, size: tuple[int, int], gate: GateMode
    ) -> LoadedTile | HealerError:
        try:
            tile = Tile(pixels=on_white(self.read(area, size)), mpp=1.0)
        except HealerError as error:
            return error
        return LoadedTile(tile, GATE.assess(tile) if gate != "off" and self.gated else None, {})

    def close(self) -> None:
        pass


def glass(width: int, height: int) -> NDArray[np.uint8]:
    noise = np.random.default_rng(0).integers(-2, 3, (height, width, 3))
    return (np.array(GLASS) + noise).astype(np.uint8)
