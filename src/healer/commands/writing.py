"""Writing where a disk may be full, or a reader gone."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

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
