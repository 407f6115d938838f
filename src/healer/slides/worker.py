"""The service's end of one process that reads a slide."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import ValidationError

from healer.errors.request import ImageTooCostly
from healer.errors.slides import SlideTooCostly
from healer.images.tile import Tile
from healer.quality.gate import LoadedTile
from healer.sandbox.loader import STOPPED, SandboxedProcess
from healer.sandbox.protocol import Limits
from healer.settings.model import GateMode
from healer.slides.geometry import Area
from healer.slides.messages import (
    AreaRead,
    OpenRequest,
    ReadRequest,
    SlideRefused,
    SlideReply,
    decode_reply,
    encode,
)
from healer.slides.reader import ColourChoice, Rgba, TileRead
from healer.slides.slide_file import SlideDescription

MODULE = "healer.slides.process"
# One picture may have 2,048 by 2,048 pixels. With the interpreter, the libraries, their caches and
# a level's pixels, a process has about 540 MB of address space, and uses a fifth of that.
MOST_PICTURE_PIXELS = 4 * 1024 * 1024
MEMORY = {"max_pixels": 8 * 1024 * 1024, "max_bytes": 64 * 1024 * 1024}
SPARE_FILES = 64


def slide_limits(files: Sequence[int], seconds: float) -> Limits:
    return Limits(**MEMORY, seconds=seconds, open_files=max(files, default=0) + SPARE_FILES)


class SlideProcess(SandboxedProcess):
    """Raises SlideError for what the slide is to blame for; and ModelNotReady and ImageReaderLost
    for what it is not. After SlideTooCostly and ImageReaderLost it is dead."""

    def __init__(self, files: Sequence[int], seconds: float) -> None:
        super().__init__(slide_limits(files, seconds), MODULE, files)
        self.reads = 0
        self.is_open = False

    def open(self, path: str, colour: ColourChoice) -> SlideDescription:
        reply = self._reply(OpenRequest(path, colour))
        if not isinstance(reply, SlideDescription):
            raise self._nonsense()
        self.is_open = True
        return reply

    def read(self, area: Area, size: tuple[int, int]) -> Rgba:
        self._read(ReadRequest(area, *size))
        return self._pixels(size, 4)

    def tile(self, area: Area, size: tuple[int, int], gate: GateMode, um_per_px: float) -> TileRead:
        reply = self._read(ReadRequest(area, *size, gate))
        tile = Tile(self._pixels(size, 3), um_per_px)
        return TileRead(area, LoadedTile(tile, reply.gate, dict(reply.timings)), reply.scanned)

    def _read(self, request: ReadRequest) -> AreaRead:
        self.reads += 1
        reply = self._reply(request)
        if not isinstance(reply, AreaRead):
            raise self._nonsense()
        return reply

    def _reply(self, request: OpenRequest | ReadRequest) -> SlideReply:
        try:
            reply = decode_reply(self.exchange(encode(request)))
            if isinstance(reply, SlideRefused):
                raise reply.error()
        except ImageTooCostly as error:
            raise SlideTooCostly(error.reason) from None
        except (ValidationError, KeyError, TypeError):
            raise self._nonsense() from None
        return reply

    def _pixels(self, size: tuple[int, int], channels: int) -> Rgba:
        width, height = size
        try:
            flat = np.frombuffer(self.buffer.read(width * height * channels), np.uint8)
        except EOFError:  # fewer than it said
            raise self._nonsense() from None
        return flat.reshape(height, width, channels)

    def _nonsense(self) -> SlideTooCostly:
        """A process that runs our code never sends it."""
        self.kill()
        return SlideTooCostly(STOPPED)
