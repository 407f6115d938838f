"""Decoding and gating images off the event loop: in a thread of this process, or sandboxed in
processes of their own. Slides are read by a `SandboxedProcess` too."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from multiprocessing import Pipe
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
from healer.sandbox.protocol import (
    READY,
    ImageRefused,
    Limits,
    LoadedImage,
    LoaderFailed,
    LoadReply,
    LoadRequest,
    SharedBuffer,
    encode_message,
)
from healer.settings.loading import Settings
from healer.settings.model import GateMode

log = structlog.get_logger(__name__)

IMAGE_DECODER = "healer.sandbox.process"
START_SECONDS = 120.0
LONGEST_REPLY = 1024 * 1024
EXIT_SECONDS = 5.0  # from closing its connection to its exit
# Signals of a decoder that an image crashed. SIGKILL and the rest come from outside.
CRASHES = frozenset(
    {signal.SIGSEGV, signal.SIGBUS, signal.SIGABRT, signal.SIGFPE, signal.SIGILL, signal.SIGTRAP}
)
STOPPED = "stopped the process that reads images"
# A decoder needs none of the service's settings, and least of all its secrets.
INHERITED = ("LD_LIBRARY_PATH", "PYTHONDONTWRITEBYTECODE", "PYTHONHOME", "PYTHONUTF8")


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


class SandboxedProcess:
    """For one thread at a time. Starting does not wait; the first message does.

    `module` is what it runs, `files` the open files that it may read besides its buffer.
    """

    def __init__(self, limits: Limits, module: str, files: Sequence[int] = ()) -> None:
        self.limits = limits
        self.buffer = SharedBuffer.new()
        self._connection, theirs = Pipe()
        with theirs:
            handles = (theirs.fileno(), self.buffer.handle)
            self._process = subprocess.Popen(  # noqa: S603
                command(*handles, limits, module),
                stdin=subprocess.DEVNULL,
                env=environment(),
                pass_fds=(*handles, *files),
            )
        self._ready = False

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def exchange(self, message: bytes) -> bytes:
        """Its reply. Raises ModelNotReady; and ImageTooCostly and ImageReaderLost, after which it
        is dead."""
        self._wait_until_ready()
        try:
            self._connection.send_bytes(message)
            if not self._connection.poll(self.limits.clock_seconds):
                raise ImageTooCostly(self.limits.clock_reason)
            return self._connection.recv_bytes(LONGEST_REPLY)
        except (EOFError, ConnectionError):
            raise self._lost() from None
        except OSError as error:
            self.kill()
            # Without an errno: a reply longer than LONGEST_REPLY.
            if error.errno is None:
                raise ImageTooCostly(STOPPED) from None
            raise ImageReaderLost(os.strerror(error.errno)) from None
        except ImageTooCostly:
            self.kill()
            raise

    def _lost(self) -> ImageTooCostly | ImageReaderLost:
        """Its end of the connection closed: the error that says why."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(EXIT_SECONDS)
        status = self._process.poll()
        self.kill()
        if status is None:
            return ImageTooCostly(STOPPED)  # it runs, without a connection
        if -status == signal.SIGPROF:
            return ImageTooCostly(self.limits.time_reason)
        if -status == signal.SIGALRM:
            return ImageTooCostly(self.limits.clock_reason)
        if -status in CRASHES:
            return ImageTooCostly(STOPPED)
        return ImageReaderLost(exit_reason(status))

    def kill(self) -> None:
        """Idempotent, and safe from any thread."""
        self._process.kill()
        self._process.wait()

    def close(self) -> None:
        self.kill()
        self._connection.close()
        self.buffer.close()

    def _wait_until_ready(self) -> None:
        if self._ready:
            return
        with suppress(EOFError, ConnectionError):
            self._ready = (
                self._connection.poll(START_SECONDS) and self._connection.recv_bytes() == READY
            )
        if not self._ready:
            self.kill()
            raise ModelNotReady("the process that reads images does not start; see the log")


def exit_reason(status: int) -> str:
    """A process's exit status in words."""
    if status >= 0:
        return f"it ended with status {status}"
    try:
        return f"it was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"it was ended by signal {-status}"


def command(socket: int, buffer: int, limits: Limits, module: str) -> list[str]:
    arguments = json.dumps([[socket, buffer], asdict(limits)])
    return [sys.executable, "-P", "-W", "ignore", "-m", module, arguments]


def environment() -> dict[str, str]:
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    path = os.pathsep.join(filter(None, sys.path))
    return {**inherited, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"}


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
            pixels = self.buffer.pixels(image.height, image.width)
            return Tile(pixels, image.mpp, image.page, image.levels)
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
