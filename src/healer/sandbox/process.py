"""`python -m healer.sandbox.process`: reads pictures until its service has no more, or is gone."""

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


def main(socket: int, slate: int, limits: Limits) -> None:
    for asked_to_stop in (signal.SIGINT, signal.SIGTERM):  # that is said to the service
        signal.signal(asked_to_stop, signal.SIG_IGN)
    give_way()
    limits.bind()
    # What a library prints may quote a picture's metadata.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    with Connection(socket) as connection:
        try:
            connection.send_bytes(READY)
            serve(connection, SharedBuffer(slate), limits)
        except (EOFError, ConnectionError):
            return


def serve(connection: Connection[Any, Any], slate: SharedBuffer, limits: Limits) -> None:
    while True:
        order = LoadRequest(**json.loads(connection.recv_bytes()))
        with limits.timed():
            reply = reply_to(order, slate, limits)
        connection.send_bytes(encode_message(reply))


def reply_to(order: LoadRequest, slate: SharedBuffer, limits: Limits) -> LoadReply:
    try:
        return load_image(order, slate, limits)
    except errors.RequestError as error:
        return ImageRefused.of(error)
    except MemoryError:
        return ImageRefused.of(errors.ImageTooCostly(limits.memory_reason))
    except Exception as error:  # an OSError of Pillow's, about a picture, has no errno
        return LoaderFailed(traceback.format_exc(), getattr(error, "errno", None))


def load_image(order: LoadRequest, slate: SharedBuffer, limits: Limits) -> LoadedImage:
    admitted = load_tile(slate.read(order.size), order.mode, limits.max_pixels, order.page)
    tile = admitted.tile
    slate.write(tile.pixels.data)
    return LoadedImage(
        tile.height, tile.width, tile.mpp, admitted.gate, admitted.timings, tile.page
    )


if __name__ == "__main__":
    (socket, slate), bounds = json.loads(sys.argv[1])
    main(socket, slate, Limits(**bounds))
