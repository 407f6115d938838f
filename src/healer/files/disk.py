"""Files read no further than may be, written whole or not at all, and the records in them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from pydantic import BaseModel, ConfigDict

from healer.errors.request import FileNotReadable, TooManyBytes

OWNER_ONLY = 0o600


class StoredRecord(BaseModel):
    """What a JSON file says; a field that is not known is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())


def read_limited(file: Path, limit_bytes: int) -> bytes:
    """Raises FileNotReadable or TooManyBytes."""
    try:
        with file.open("rb") as stream:
            # One byte more than the limit at most: a pipe says no size, and a device may never end.
            size = os.fstat(stream.fileno()).st_size
            data = stream.read(size + 1 if 0 < size < limit_bytes else limit_bytes + 1)
    except (OSError, ValueError) as error:  # ValueError: a name that no file can have
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise FileNotReadable(reason or type(error).__name__) from None
    if len(data) > limit_bytes:
        raise TooManyBytes(limit_bytes)
    return data


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


def save_record(place: Path, record: BaseModel, indent: int = 2) -> None:
    """Write a record to `place` in one step, flushed, or not at all."""
    with atomic_write(place) as stream:
        stream.write(f"{record.model_dump_json(indent=indent)}\n".encode())
