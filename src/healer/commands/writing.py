"""Writing where a disk may be full, a reader gone, or a person has had enough."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from healer.errors import OutputNotWritable

STANDARD_OUTPUT = "standard output"


@contextmanager
def writing(place: str) -> Iterator[None]:
    """Raises OutputNotWritable; a BrokenPipeError as it is: whoever read has read enough."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        if place == STANDARD_OUTPUT:
            _forget_the_rest()
        raise OutputNotWritable(place, error.strerror or type(error).__name__) from None


def _forget_the_rest() -> None:
    """What is still held back would fail again, and aloud, when the process ends."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Ctrl-C is heeded after what is done inside, so that no row is written twice, by half or
    uncounted; a second one at once, in case nobody reads."""
    asked = False

    def later(_signal: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True

    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, later)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    if asked:
        raise KeyboardInterrupt
