"""Opening a slide: its files, the processes that read them, and what it says of itself."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from queue import LifoQueue
from typing import TypeVar

import numpy as np
import structlog
from pydantic import ValidationError

from healer.errors.request import ImageTooCostly
from healer.errors.scheduling import ImageReaderLost
from healer.errors.slides import AreaUnreadable, ResolutionContradictory, SlideTooCostly
from healer.hardware import cores
from healer.images.tile import Tile
from healer.quality.gate import LoadedTile
from healer.sandbox.loader import STOPPED, SandboxedProcess
from healer.sandbox.protocol import Limits
from healer.settings.model import GateMode
from healer.slides.decimation import decimated_levels, marked
from healer.slides.members import Members, log_key
from healer.slides.overview import Canvas, read_block
from healer.slides.process import (
    AreaRead,
    OpenRequest,
    ReadRequest,
    SlideRefused,
    SlideReply,
    decode_reply,
    encode,
)
from healer.slides.reader import (
    Area,
    ColourChoice,
    Level,
    Overview,
    Resolution,
    Rgba,
    SlideInfo,
    SlideReader,
    TileRead,
)
from healer.slides.slide_file import SlideDescription, reconcile

log = structlog.get_logger(__name__)

MODULE = "healer.slides.process"
# One picture may have 2,048 by 2,048 pixels. With the interpreter, the libraries, their caches and
# a level's pixels, a process has about 540 MB of address space, and uses a fifth of that.
MOST_PICTURE_PIXELS = 4 * 1024 * 1024
MEMORY = {"max_pixels": 8 * 1024 * 1024, "max_bytes": 64 * 1024 * 1024}
SPARE_FILES = 64

SECONDS = 20.0  # for opening a slide, and for each area of it
MOST_READERS = 8
READ_AHEAD = 8  # areas for each reader
READS_A_PROCESS = 5000  # then it is replaced: what a library does not give back stays bounded
MOST_LOST = 8  # areas that may each end a process, or take all its time
LONGEST_GLASS_MM = 300.0
Item = TypeVar("Item")
Result = TypeVar("Result")


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

    def read(self, request: ReadRequest) -> Rgba:
        self._read(request)
        return self._pixels((request.width, request.height), 4)

    def tile(self, request: ReadRequest, um_per_px: float) -> TileRead:
        reply = self._read(request)
        tile = Tile(self._pixels((request.width, request.height), 3), um_per_px)
        loaded = LoadedTile(tile, reply.gate, dict(reply.timings))
        return TileRead(request.area, loaded, reply.scanned)

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


def open_slide(
    path: Path,
    *,
    mpp: float | None = None,
    mpp_source: str = "--mpp",
    colour: ColourChoice = "raw",
    readers: int | None = None,
    seconds: float = SECONDS,
) -> SlideReader:
    """`path` is a slide, any member of a DICOM series, or the folder of one. `mpp` takes the place
    of what the file states, `mpp_source` says whose word it is.

    Raises SlideError, FileNotReadable, EmptyFile, ModelNotReady and ImageReaderLost.
    """
    members = Members(path)
    given = None if mpp is None else Resolution(mpp, mpp, mpp_source)
    try:
        return SandboxedSlide(members, given, colour, readers or default_readers(), seconds)
    except BaseException:
        members.close()
        raise


@dataclass(frozen=True, slots=True)
class SlideSource:
    """How a slide is opened, by this process or by others that have its file under this path."""

    path: Path
    mpp: float | None = None
    mpp_source: str = "--mpp"
    colour: ColourChoice = "raw"

    def open(self, readers: int | None = None) -> SlideReader:
        """Raises what `open_slide` raises."""
        return open_slide(
            self.path,
            mpp=self.mpp,
            mpp_source=self.mpp_source,
            colour=self.colour,
            readers=readers,
        )


def default_readers() -> int:
    return min(MOST_READERS, cores())


class SandboxedSlide:
    """Read by `count` processes; one that fails is replaced. For one thread at a time."""

    def __init__(
        self,
        members: Members,
        given: Resolution | None,
        colour: ColourChoice,
        count: int,
        seconds: float,
    ) -> None:
        self._members, self._colour, self._seconds = members, colour, seconds
        self._idle: LifoQueue[SlideProcess | None] = LifoQueue()
        processes = [SlideProcess(members.handles, seconds) for _ in range(count)]
        self._count, self._lost = count, 0
        try:
            description = processes[-1].open(str(members.path), colour)
            self._info = _info(description, given, members)
        except BaseException:
            for process in processes:
                process.close()
            raise
        for process in processes:  # those that start meanwhile open it when they are needed
            self._idle.put(process)
        self._threads = ThreadPoolExecutor(count, "slide")
        self._decimated: tuple[int, ...] = ()
        self._mark_levels()

    @property
    def info(self) -> SlideInfo:
        return self._info

    def read(self, area: Area, size: tuple[int, int]) -> Rgba:
        if size[0] * size[1] > MOST_PICTURE_PIXELS or min(size) < 1:
            raise ValueError(f"pictures have 1 to {MOST_PICTURE_PIXELS} pixels")
        request = ReadRequest(area, *size, decimated=self._decimated)
        return self._with_process(lambda process: process.read(request), area)

    def overview(self, um_per_px: float) -> Overview:
        canvas = Canvas.of(self._info, um_per_px)
        reads = self._ahead(lambda block: read_block(self.read, block), canvas.blocks())
        return canvas.filled(reads)

    def thumbnail(self, um_per_px: float) -> Rgba:
        return self.overview(um_per_px).pixels

    def tiles(
        self, areas: Iterable[Area], size: tuple[int, int], gate: GateMode = "warn"
    ) -> Iterator[TileRead]:
        return self._ahead(lambda area: self._tile(area, size, gate), areas)

    def close(self) -> None:
        self._threads.shutdown(cancel_futures=True)
        while not self._idle.empty():
            process = self._idle.get()
            if process is not None:
                process.close()
        self._members.close()

    def _mark_levels(self) -> None:
        levels = self._info.levels
        try:
            self._decimated = tuple(decimated_levels(levels, self._read_level))
        except BaseException:
            self.close()
            raise
        self._info = replace(self._info, levels=marked(levels, self._decimated))

    def _read_level(self, level: int, x: int, y: int, width: int, height: int) -> Rgba:
        area = Area(x, y, width, height)
        request = ReadRequest(area, width, height, level=level)
        return self._with_process(lambda process: process.read(request), area)

    def _tile(self, area: Area, size: tuple[int, int], gate: GateMode) -> TileRead:
        um_per_px = area.width * self._info.resolution.x / size[0]
        request = ReadRequest(area, *size, gate, self._decimated)
        try:
            return self._with_process(lambda process: process.tile(request, um_per_px), area)
        except AreaUnreadable as error:
            return TileRead(area, error, 0.0)

    def _with_process(self, step: Callable[[SlideProcess], Result], area: Area) -> Result:
        """Raises AreaUnreadable; SlideTooCostly where that happened too often; and what no slide
        is to blame for."""
        for last in (False, True):
            process = self._idle.get()
            try:
                process = self._open_or_new(process)
                return step(process)
            except SlideTooCostly as error:
                self._count_lost(error)
                raise AreaUnreadable(
                    area.x, area.y, area.width, area.height, error.reason
                ) from None
            except ImageReaderLost as error:  # ended from outside: the area is asked for again
                log.warning("slide reader ended", slide=self._info.log_key, reason=error.reason)
                if last:
                    raise
            finally:
                self._idle.put(self._kept(process))
        raise AssertionError  # the loop returns or raises

    def _open_or_new(self, process: SlideProcess | None) -> SlideProcess:
        process = process or SlideProcess(self._members.handles, self._seconds)
        try:
            if not process.is_open:
                process.open(str(self._members.path), self._colour)
        except BaseException:
            process.close()
            raise
        return process

    def _kept(self, process: SlideProcess | None) -> SlideProcess | None:
        """None for one to be replaced."""
        if process is None or (process.alive and process.reads < READS_A_PROCESS):
            return process
        process.close()
        return None

    def _count_lost(self, error: SlideTooCostly) -> None:
        self._lost += 1
        log.warning("slide reader ended", slide=self._info.log_key, reason=error.reason)
        if self._lost > MOST_LOST:
            raise SlideTooCostly(f"{error.reason}, {self._lost} times")

    def _ahead(self, step: Callable[[Item], Result], items: Iterable[Item]) -> Iterator[Result]:
        return computed_ahead(self._threads, READ_AHEAD * self._count, step, items)


def computed_ahead(
    threads: ThreadPoolExecutor,
    most: int,
    step: Callable[[Item], Result],
    items: Iterable[Item],
) -> Iterator[Result]:
    """`step` of each item in order; at most `most` are under way or waited for."""
    source = iter(items)
    waiting = deque(threads.submit(step, item) for item in islice(source, most))
    try:
        while waiting:
            result = waiting.popleft().result()
            waiting.extend(threads.submit(step, item) for item in islice(source, 1))
            yield result
    finally:
        for future in waiting:
            future.cancel()


def _info(description: SlideDescription, given: Resolution | None, members: Members) -> SlideInfo:
    resolution = given or reconcile(description.statements, description.magnification)
    content_hash = members.content_hash()
    finest = description.levels[0]
    check_extent(finest, resolution)
    return SlideInfo(
        size=(finest.width, finest.height),
        resolution=resolution,
        levels=description.levels,
        bounds=description.bounds,
        properties=description.properties,
        reader=description.reader,
        colour=description.colour,
        content_hash=content_hash,
        log_key=log_key(content_hash),
    )


def check_extent(finest: Level, resolution: Resolution) -> None:
    """Raises ResolutionContradictory for a slide larger than any glass."""
    across, down = finest.width * resolution.x / 1000, finest.height * resolution.y / 1000
    if max(across, down) > LONGEST_GLASS_MM:
        raise ResolutionContradictory(
            f"{resolution.source}: {resolution.mean:.4g} µm, by which it is {across:,.0f} × "
            f"{down:,.0f} mm large"
        )
