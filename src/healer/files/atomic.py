"""Files that appear whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

OWNER_ONLY = 0o600


@contextmanager
def atomic_write(
    place: Path, *, draft: Path | None = None, private: bool = False
) -> Iterator[BinaryIO]:
    """A stream whose bytes take `place` in one step, flushed to the disk, when the block ends.

    Where the block raises, `place` is as it was. `draft` is where the bytes are until then, on the
    same file system. A `private` one is readable by its owner alone, and must not exist: raises
    FileExistsError where another process is writing it. Raises OSError.
    """
    draft = draft or place.with_name(f"{place.name}.draft")
    mode, opener = ("xb", _open_private) if private else ("wb", None)
    stream: BinaryIO = open(draft, mode, opener=opener)  # type: ignore[assignment] # noqa: SIM115
    try:
        with stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(place)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, OWNER_ONLY)
