"""The service's end of a process that decodes what it must not trust."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict
from multiprocessing import Pipe

from healer.errors.engine import ModelNotReady
from healer.errors.request import ImageTooCostly
from healer.errors.scheduling import ImageReaderLost
from healer.sandbox.protocol import READY, Limits, SharedBuffer

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
            if not self._connection.poll(self.limits.seconds):
                raise ImageTooCostly(self.limits.time_reason)
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
        if -status == signal.SIGALRM:
            return ImageTooCostly(self.limits.time_reason)
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
