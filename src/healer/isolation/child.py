"""`python -m healer.isolation.child`: reads pictures until its service has no more, or is gone."""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from multiprocessing.connection import Connection
from typing import Any

from healer import errors
from healer.isolation.limits import Limits
from healer.isolation.slate import Slate
from healer.isolation.wire import Failed, Order, Read, Refused, Reply, encoded
from healer.processor import give_way
from healer.screening.admission import admit

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
            serve(connection, Slate(slate), limits)
        except (EOFError, ConnectionError):
            return


def serve(connection: Connection[Any, Any], slate: Slate, limits: Limits) -> None:
    while True:
        order = Order(**json.loads(connection.recv_bytes()))
        with limits.timed():
            reply = reply_to(order, slate, limits)
        connection.send_bytes(encoded(reply))


def reply_to(order: Order, slate: Slate, limits: Limits) -> Reply:
    try:
        return read(order, slate, limits)
    except errors.RequestError as error:
        return Refused.of(error)
    except MemoryError:
        return Refused.of(errors.ImageTooCostly(limits.memory_reason))
    except Exception as error:  # an OSError of Pillow's, about a picture, has no errno
        return Failed(traceback.format_exc(), getattr(error, "errno", None))


def read(order: Order, slate: Slate, limits: Limits) -> Read:
    admitted = admit(slate.read(order.size), order.mode, limits.max_pixels, order.page)
    tile = admitted.tile
    slate.write(tile.pixels.data)
    return Read(tile.height, tile.width, tile.mpp, admitted.gate, admitted.timings, tile.page)


if __name__ == "__main__":
    (socket, slate), bounds = json.loads(sys.argv[1])
    main(socket, slate, Limits(**bounds))
