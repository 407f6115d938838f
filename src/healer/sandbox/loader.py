"""Decoding and gating images off the event loop: sandboxed, or in a thread of this process."""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cache
from queue import LifoQueue
from typing import Any, Protocol

import structlog
from pydantic import TypeAdapter, ValidationError

from healer.errors.base import ShuttingDown
from healer.errors.engine import ModelNotReady
from healer.errors.request import ImageTooCostly
from healer.errors.scheduling import ImageReaderLost
from healer.hardware import memory_limit_bytes
from healer.images.tile import Tile
from healer.quality.gate import LoadedTile
from healer.sandbox import load_tile
from healer.sandbox.client import STOPPED, SandboxedProcess
from healer.sandbox.protocol import (
    ImageRefused,
    Limits,
    LoadedImage,
    LoaderFailed,
    LoadReply,
    LoadRequest,
    encode_message,
)
from healer.settings.loading import Settings
from healer.settings.model import GateMode

log = structlog.get_logger(__name__)

IMAGE_DECODER = "healer.sandbox.process"


class ImageLoader(Protocol):
    async def start(self) -> None: ...

    async def load(self, data: bytes, mode: GateMode, page: int | None = None) -> LoadedTile:
        """Raises what `load_tile` does. Cancelling the caller does not stop the work; its result is
        dropped."""
        ...

    async def stop(self) -> None: ...


class InProcess:
    """In this process, which a bad enough image can crash."""

    def __init__(self, max_pixels: int) -> None:
        self._max_pixels = max_pixels

    async def start(self) -> None: ...

    async def load(self, data: bytes, mode: GateMode, page: int | None = None) -> LoadedTile:
        return await asyncio.to_thread(load_tile, data, mode, self._max_pixels, page)

    async def stop(self) -> None: ...


class Worker(SandboxedProcess):
    """The service's end of one decoder process, for one thread at a time. Starting does not wait;
    the first image does."""

    def __init__(self, limits: Limits) -> None:
        super().__init__(limits, IMAGE_DECODER)

    def load(self, data: bytes, mode: GateMode, page: int | None = None) -> LoadedTile:
        """Raises what `load_tile` does and ModelNotReady; and ImageTooCostly and
        ImageReaderLost, after which the worker is dead."""
        try:
            return self._loaded(self._request(data, mode, page))
        except ValidationError:  # a decoder that runs our code never sends that
            self.kill()
            raise ImageTooCostly(STOPPED) from None
        except OSError as error:
            self.kill()
            raise ImageReaderLost(os.strerror(error.errno or 0)) from None
        except (ImageTooCostly, ImageReaderLost):
            self.kill()
            raise
        finally:
            self.buffer.wipe()

    def _request(self, data: bytes, mode: GateMode, page: int | None) -> LoadReply:
        self.buffer.write(data)
        message = encode_message(LoadRequest(len(data), mode, page))
        reply: LoadReply = _replies().validate_json(self.exchange(message))
        return reply

    def _loaded(self, reply: LoadReply) -> LoadedTile:
        if isinstance(reply, ImageRefused):
            raise reply.error()
        if isinstance(reply, LoaderFailed):
            if reply.errno is not None:
                raise ImageReaderLost(os.strerror(reply.errno))
            raise RuntimeError(reply.trace)
        return LoadedTile(self._tile(reply), reply.gate, reply.timings)

    def _tile(self, image: LoadedImage) -> Tile:
        if image.height * image.width > self.limits.max_pixels:
            raise ImageTooCostly(STOPPED)
        try:
            return Tile(self.buffer.pixels(image.height, image.width), image.mpp, image.page)
        except EOFError:  # fewer pixels than it said
            raise ImageTooCostly(STOPPED) from None


@cache
def _replies() -> TypeAdapter[Any]:
    return TypeAdapter(LoadReply)


class Sandboxed:
    """`count` processes, one image in each at a time; one that fails is replaced."""

    def __init__(self, limits: Limits, count: int) -> None:
        self._limits, self._count = limits, count
        self._idle: LifoQueue[Worker] = LifoQueue()  # the one used last is the warmest
        self._workers: set[Worker] = set()
        self._stopping = False

    async def start(self) -> None:
        self._threads = ThreadPoolExecutor(self._count, "images")
        for _ in range(self._count):
            self._idle.put(self._start_worker())

    async def load(self, data: bytes, mode: GateMode, page: int | None = None) -> LoadedTile:
        """Raises ImageTooCostly and ImageReaderLost too, ModelNotReady where no process can be
        started, and ShuttingDown."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._load, data, mode, page)

    async def stop(self) -> None:
        self._stopping = True
        for worker in list(self._workers):
            worker.kill()  # its pending call raises
        await asyncio.to_thread(self._threads.shutdown, cancel_futures=True)
        for worker in self._workers:
            worker.close()

    @property
    def pids(self) -> set[int]:
        return {worker.pid for worker in self._workers}

    def _load(self, data: bytes, mode: GateMode, page: int | None) -> LoadedTile:
        worker = self._idle.get()
        try:
            worker = self._alive_or_new(worker)
            return worker.load(data, mode, page)
        except (ImageTooCostly, ImageReaderLost, ModelNotReady) as error:
            if self._stopping:  # `stop` killed it, perhaps before it was ready
                raise ShuttingDown from None
            if isinstance(error, ModelNotReady):
                raise
            log.warning("image reader ended", reason=error.reason)
            raise
        finally:
            with suppress(ModelNotReady, ShuttingDown):  # the next caller gets it
                worker = self._alive_or_new(worker)
            self._idle.put(worker)

    def _alive_or_new(self, worker: Worker) -> Worker:
        """The worker, or a new one where it is dead."""
        if worker.alive:
            return worker
        if self._stopping:
            raise ShuttingDown
        try:
            new = self._start_worker()
        except OSError as error:
            log.error("image reader cannot be started", reason=error.strerror)
            raise ModelNotReady("the process that reads images cannot be started") from None
        self._workers.discard(worker)
        worker.close()
        return new

    def _start_worker(self) -> Worker:
        worker = Worker(self._limits)
        self._workers.add(worker)
        return worker


def open_image_loader(settings: Settings) -> ImageLoader:
    if settings.decoders == 0:
        return InProcess(settings.max_pixels)
    return Sandboxed(sandbox_limits(settings), settings.decoders)


def sandbox_limits(settings: Settings) -> Limits:
    """All decoders together may take half of the memory there is."""
    share = memory_limit_bytes() // 2 // max(1, settings.decoders)
    return Limits(settings.max_pixels, settings.max_bytes, settings.decode_seconds, share)
