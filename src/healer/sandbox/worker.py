"""The service's end of one decoder process."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import asdict
from functools import cache
from multiprocessing import Pipe
from typing import Any

from pydantic import TypeAdapter, ValidationError

from healer.errors.engine import ModelNotReady
from healer.errors.request import ImageTooCostly
from healer.errors.scheduling import ImageReaderLost
from healer.images.tile import Tile
from healer.quality.gate import LoadedTile
from healer.sandbox.limits import Limits
from healer.sandbox.messages import (
    ImageRefused,
    LoadedImage,
    LoaderFailed,
    LoadReply,
    LoadRequest,
    SharedBuffer,
    encode_message,
)
from healer.sandbox.process import READY
from healer.settings.model import GateMode

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


class Worker:
    """For one thread at a time. Starting does not wait; the first image does."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._buffer = SharedBuffer.new()
        self._connection, theirs = Pipe()
        with theirs:
            handles = (theirs.fileno(), self._buffer.handle)
            self._process = subprocess.Popen(  # noqa: S603
                command(*handles, limits),
                stdin=subprocess.DEVNULL,
                env=environment(),
                pass_fds=handles,
            )
        self._ready = False

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def load(self, data: bytes, mode: GateMode, page: int | None = None) -> LoadedTile:
        """Raises what `quality.gate.load_tile` does and ModelNotReady; and ImageTooCostly and
        ImageReaderLost, after which the worker is dead."""
        self._wait_until_ready()
        try:
            return self._loaded(self._request(data, mode, page))
        except (EOFError, ConnectionError):
            raise self._lost() from None
        except OSError as error:
            self.kill()
            # Without an errno: a reply longer than LONGEST_REPLY.
            if error.errno is None:
                raise ImageTooCostly(STOPPED) from None
            raise ImageReaderLost(os.strerror(error.errno)) from None
        except ValidationError:  # a decoder that runs our code never sends that
            self.kill()
            raise ImageTooCostly(STOPPED) from None
        except (ImageTooCostly, ImageReaderLost):
            self.kill()
            raise
        finally:
            self._buffer.wipe()

    def _lost(self) -> ImageTooCostly | ImageReaderLost:
        """Its end of the connection closed: the error that says why."""
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(EXIT_SECONDS)
        status = self._process.poll()
        self.kill()
        if status is None:
            return ImageTooCostly(STOPPED)  # it runs, without a connection
        if -status == signal.SIGALRM:
            return ImageTooCostly(self._limits.time_reason)
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
        self._buffer.close()

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

    def _request(self, data: bytes, mode: GateMode, page: int | None) -> LoadReply:
        self._buffer.write(data)
        self._connection.send_bytes(encode_message(LoadRequest(len(data), mode, page)))
        if not self._connection.poll(self._limits.seconds):
            raise ImageTooCostly(self._limits.time_reason)
        reply: LoadReply = _replies().validate_json(self._connection.recv_bytes(LONGEST_REPLY))
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
        if image.height * image.width > self._limits.max_pixels:
            raise ImageTooCostly(STOPPED)
        try:
            return Tile(self._buffer.pixels(image.height, image.width), image.mpp, image.page)
        except EOFError:  # fewer pixels than it said
            raise ImageTooCostly(STOPPED) from None


def exit_reason(status: int) -> str:
    """A process's exit status in words."""
    if status >= 0:
        return f"it ended with status {status}"
    try:
        return f"it was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"it was ended by signal {-status}"


def command(socket: int, buffer: int, limits: Limits) -> list[str]:
    arguments = json.dumps([[socket, buffer], asdict(limits)])
    return [sys.executable, "-P", "-W", "ignore", "-m", "healer.sandbox.process", arguments]


def environment() -> dict[str, str]:
    inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
    path = os.pathsep.join(filter(None, sys.path))
    return {**inherited, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"}


@cache
def _replies() -> TypeAdapter[Any]:
    return TypeAdapter(LoadReply)
