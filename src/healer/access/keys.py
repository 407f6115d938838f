"""API keys, and the file that holds their digests."""

from __future__ import annotations

import hashlib
import os
import secrets
from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from healer.errors import KeyNameTaken, KeysNotWritable, KeysUnreadable, KeyUnknown

PREFIX = "hk_"  # so that a leaked one can be searched for, and is not taken for a token
NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"


class Key(BaseModel):
    """`expires` is the last day (UTC) on which it is good."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=f"^{NAME}$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    created: datetime
    expires: date | None = None

    @property
    def expired(self) -> bool:
        return self.expires is not None and datetime.now(UTC).date() > self.expires


class KeyFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    keys: tuple[Key, ...] = ()

    @field_validator("keys")
    @classmethod
    def _named_once(cls, keys: tuple[Key, ...]) -> tuple[Key, ...]:
        if len({key.name for key in keys}) != len(keys):
            raise ValueError("a name stands there twice")
        return keys


def digest(key: str) -> str:
    # Not a password hash: a key is 256 random bits, which nobody tries out, and a slow hash would
    # only make each request slow.
    return hashlib.sha256(key.encode()).hexdigest()


def read(file: Path) -> KeyFile:
    """Raises KeysUnreadable, in words that repeat nothing of the file."""
    try:
        return KeyFile.model_validate_json(file.read_bytes())
    except OSError as error:
        raise KeysUnreadable(str(file), error.strerror or type(error).__name__) from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        raise KeysUnreadable(str(file), first["msg"]) from None


def add(file: Path, name: str, expires: date | None) -> str:
    """The new key; only its digest is kept. Raises KeysError."""
    keys = read(file).keys if file.exists() else ()
    if any(key.name == name for key in keys):
        raise KeyNameTaken(name)
    key = PREFIX + secrets.token_urlsafe(32)
    now = datetime.now(UTC).replace(microsecond=0)
    write(file, (*keys, Key(name=name, sha256=digest(key), created=now, expires=expires)))
    return key


def revoke(file: Path, name: str) -> None:
    """Raises KeysError."""
    keys = read(file).keys
    kept = [key for key in keys if key.name != name]
    if len(kept) == len(keys):
        raise KeyUnknown(name)
    write(file, kept)


def write(file: Path, keys: Iterable[Key]) -> None:
    """Whole or not at all: a server may be reading it. A new file is its owner's alone; one that
    is there keeps its mode. Raises KeysNotWritable."""
    place = file.resolve()
    new = place.with_name(f".{place.name}.new")
    text = KeyFile(keys=tuple(keys)).model_dump_json(indent=1) + "\n"
    try:
        # Never over another's: two that write at once would lose a key.
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        reason = f"another `healer keys` is writing it; if none is, delete {new.name} beside it"
        raise KeysNotWritable(str(file), reason) from None
    except OSError as error:
        raise KeysNotWritable(str(file), error.strerror or type(error).__name__) from None
    try:
        _replace(handle, new, place, text)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise KeysNotWritable(str(file), error.strerror or type(error).__name__) from None


def _replace(handle: int, new: Path, place: Path, text: str) -> None:
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        if place.exists():
            new.chmod(place.stat().st_mode & 0o777)
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    new.replace(place)
