"""`python -m healer.sandbox.process`: decodes images until its service closes the connection."""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from multiprocessing.connection import Connection
from typing import Any

from healer import errors
from healer.hardware import give_way
from healer.quality.gate import load_tile
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

READY = b"ready"


def main(socket: int, buffer: int, limits: Limits) -> None:
    for stop_signal in (signal.SIGINT, signal.SIGTERM):  # the service handles them
        signal.signal(stop_signal, signal.SIG_IGN)
    give_way()
    limits.apply()
    # What a library prints may quote an image's metadata.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    with Connection(socket) as connection:
        try:
            connection.send_bytes(READY)
            serve(connection, SharedBuffer(buffer), limits)
        except (EOFError, ConnectionError):
            return


def serve(connection: Connection[Any, Any], buffer: SharedBuffer, limits: Limits) -> None:
    while True:
        request = LoadRequest(**json.loads(connection.recv_bytes()))
        with limits.timed():
            reply = reply_to(request, buffer, limits)
        connection.send_bytes(encode_message(reply))


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
    return LoadedImage(tile.height, tile.width, tile.mpp, loaded.gate, loaded.timings, tile.page)


if __name__ == "__main__":
    (socket, buffer), values = json.loads(sys.argv[1])
    main(socket, buffer, Limits(**values))
