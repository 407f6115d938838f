"""`python -m healer.sandbox.process`: decodes images until its service closes the connection."""

from __future__ import annotations

import json
import os
import resource
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from typing import Any

from healer import errors
from healer.hardware import give_way
from healer.sandbox import load_tile
from healer.sandbox.protocol import (
    CHANNELS,
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

Answer = Callable[[bytes], bytes]

# A process whose service was killed while it decodes ends by itself, this long past its time.
ORPHAN_SECONDS = 2.0


def main(socket: int, limits: Limits, answer: Answer, *, gives_way: bool = True) -> None:
    """Replies to each message until the service closes the connection."""
    for stop_signal in (signal.SIGINT, signal.SIGTERM):  # the service handles them
        signal.signal(stop_signal, signal.SIG_IGN)
    if gives_way:
        give_way()
    apply_limits(limits)
    # What a library prints may quote an image's metadata.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    with Connection(socket) as connection:
        try:
            connection.send_bytes(READY)
            serve(connection, limits, answer)
        except (EOFError, ConnectionError):
            return


def apply_limits(limits: Limits) -> None:
    """Limit the calling process, for good. macOS does not limit a process's memory."""
    if sys.platform == "linux":
        _set_limit(resource.RLIMIT_AS, limits.memory_bytes)
    _set_limit(resource.RLIMIT_FSIZE, CHANNELS * limits.max_pixels)
    _set_limit(resource.RLIMIT_NOFILE, limits.open_files)
    _set_limit(resource.RLIMIT_CORE, 0)


def _set_limit(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    limit = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (limit, limit))


def serve(connection: Connection[Any, Any], limits: Limits, answer: Answer) -> None:
    while True:
        message = connection.recv_bytes()
        with time_limit(limits):
            reply = answer(message)
        connection.send_bytes(reply)


@contextmanager
def time_limit(limits: Limits) -> Iterator[None]:
    """The kernel ends the process where this takes too long, even inside a C library."""
    signal.setitimer(signal.ITIMER_PROF, limits.seconds)
    signal.setitimer(signal.ITIMER_REAL, limits.clock_seconds + ORPHAN_SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.setitimer(signal.ITIMER_REAL, 0)


def reply_to(request: LoadRequest, buffer: SharedBuffer, limits: Limits) -> LoadReply:
    try:
        return load_image(request, buffer, limits)
    except errors.RequestError as error:
        return ImageRefused.of(error)
    except MemoryError:
        return ImageRefused.of(errors.ImageTooCostly(limits.memory_reason))
    except Exception as error:  # Pillow's own OSErrors have no errno
        return LoaderFailed(traceback.format_exc(), getattr(error, "errno", None))


def load_image(request: LoadRequest, buffer: SharedBuffer, limits: Limits) -> LoadedImage:
    loaded = load_tile(buffer.read(request.size), request.mode, limits.max_pixels, request.page)
    tile = loaded.tile
    buffer.write(tile.pixels.data)
    return LoadedImage(
        tile.height,
        tile.width,
        tile.mpp,
        loaded.gate,
        loaded.timings,
        tile.page,
        tile.levels,
    )


if __name__ == "__main__":
    (socket, handle), values = json.loads(sys.argv[1])
    bounds, images = Limits(**values), SharedBuffer(handle)
    main(
        socket,
        bounds,
        lambda message: encode_message(
            reply_to(LoadRequest(**json.loads(message)), images, bounds)
        ),
    )
