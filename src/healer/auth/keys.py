"""API keys, and the file that holds their digests."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated

import structlog
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from healer.errors.access import (
    KeyExpired,
    KeyNameTaken,
    KeyRejected,
    KeysNotWritable,
    KeysUnreadable,
    KeyUnknown,
)
from healer.files.disk import atomic_write

log = structlog.get_logger(__name__)

# A file changed less than this before it was read may change again without its stamp showing it:
# clocks of file systems are coarse, some tick only every two seconds.
SETTLED_NS = 3_000_000_000
KEY_PREFIX = "hk_"  # so that a leaked one can be searched for, and is not taken for a token
KEY_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"


class ApiKey(BaseModel):
    """`expires` is the last day (UTC) on which it is good."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=f"^{KEY_NAME}$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    created: datetime
    expires: date | None = None

    @property
    def expired(self) -> bool:
        return self.expires is not None and datetime.now(UTC).date() > self.expires


class KeyFile(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    keys: tuple[ApiKey, ...] = ()

    @field_validator("keys")
    @classmethod
    def _named_once(cls, keys: tuple[ApiKey, ...]) -> tuple[ApiKey, ...]:
        if len({key.name for key in keys}) != len(keys):
            raise ValueError("a name stands there twice")
        return keys


def key_digest(key: str) -> str:
    # Not a password hash: a key is 256 random bits, which nobody tries out, and a slow hash would
    # only make each request slow.
    return hashlib.sha256(key.encode()).hexdigest()


def read_keys(file: Path) -> KeyFile:
    """Raises KeysUnreadable, in words that repeat nothing of the file."""
    try:
        return KeyFile.model_validate_json(file.read_bytes())
    except OSError as error:
        raise KeysUnreadable(str(file), error.strerror or type(error).__name__) from None
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        raise KeysUnreadable(str(file), first["msg"]) from None


def add_key(file: Path, name: str, expires: date | None) -> str:
    """The new key; only its digest is kept. Raises KeysError."""
    keys = read_keys(file).keys if file.exists() else ()
    if any(key.name == name for key in keys):
        raise KeyNameTaken(name)
    key = KEY_PREFIX + secrets.token_urlsafe(32)
    now = datetime.now(UTC).replace(microsecond=0)
    write_keys(
        file, (*keys, ApiKey(name=name, sha256=key_digest(key), created=now, expires=expires))
    )
    return key


def revoke_key(file: Path, name: str) -> None:
    """Raises KeysError."""
    keys = read_keys(file).keys
    remaining = [key for key in keys if key.name != name]
    if len(remaining) == len(keys):
        raise KeyUnknown(name)
    write_keys(file, remaining)


def write_keys(file: Path, keys: Iterable[ApiKey]) -> None:
    """Whole or not at all: a server may be reading it. A new file is its owner's alone; one that
    is there keeps its mode. Raises KeysNotWritable."""
    place = file.resolve()
    new = place.with_name(f".{place.name}.new")
    text = KeyFile(keys=tuple(keys)).model_dump_json(indent=1) + "\n"
    try:
        # Never over another's: two that write at once would lose a key.
        with atomic_write(place, draft=new, private=True) as stream:
            if place.exists():
                new.chmod(place.stat().st_mode & 0o777)
            stream.write(text.encode())
    except FileExistsError:
        reason = f"another `healer keys` is writing it; if none is, delete {new.name} beside it"
        raise KeysNotWritable(str(file), reason) from None
    except OSError as error:
        raise KeysNotWritable(str(file), error.strerror or type(error).__name__) from None


@dataclass(frozen=True, slots=True)
class Stamp:
    """Detects a change of a file. Of the file behind a link: Kubernetes changes a mounted secret
    by moving a link. `changed_ns` is set by the system alone, so that no copy can keep it."""

    modified_ns: int
    changed_ns: int
    inode: int
    device: int
    size: int

    @classmethod
    def of(cls, file: Path) -> Stamp | None:
        try:
            found = file.stat()
        except OSError:
            return None
        return cls(found.st_mtime_ns, found.st_ctime_ns, found.st_ino, found.st_dev, found.st_size)

    @property
    def settled(self) -> bool:
        """Whether a further change is sure to show; a time ahead of our clock settles nothing."""
        return time.time_ns() - self.changed_ns > SETTLED_NS


class Keyring:
    """Reloads the file whenever it changed, or may have; while it cannot be read, the keys it last
    held count, so that a typing error locks nobody out and lets nobody in."""

    def __init__(self, file: Path) -> None:
        """Raises KeysUnreadable."""
        self._file = file
        self._stamp: Stamp | None = None  # of what was read; None where it must be read again
        self._error: str | None = None
        self._keys = self._read()
        log.info("api keys", names=[key.name for key in self._keys])

    def holder(self, offered: str) -> str:
        """The key's name; raises KeyRejected or KeyExpired."""
        self._reload_if_changed()
        offered_digest = key_digest(offered)
        # Every key is compared, in constant time: how long it takes says nothing.
        found = [key for key in self._keys if hmac.compare_digest(key.sha256, offered_digest)]
        if not found:
            raise KeyRejected
        if found[0].expired:
            raise KeyExpired(str(found[0].expires))
        return found[0].name

    def warnings(self) -> list[str]:
        self._reload_if_changed()
        warnings = [self._error] if self._error else []
        if not any(not key.expired for key in self._keys):
            warnings.append("no API key is good now, so nobody can ask: `healer keys add NAME`")
        return warnings

    def _reload_if_changed(self) -> None:
        if self._stamp is not None and self._stamp == Stamp.of(self._file):
            return
        try:
            found = self._read()
        except KeysUnreadable as error:
            self._fail(error)
            return
        if self._error or self._keys != found:
            log.info("api keys", names=[key.name for key in found])
        self._keys, self._error = found, None

    def _read(self) -> tuple[ApiKey, ...]:
        """Raises KeysUnreadable, and then the file will be read again whatever its stamp."""
        self._stamp = None
        before = Stamp.of(self._file)
        found = read_keys(self._file).keys
        after = Stamp.of(self._file)
        if after is not None and before == after and after.settled:
            self._stamp = after
        return found

    def _fail(self, error: KeysUnreadable) -> None:
        message = f"the file of API keys cannot be read ({error.reason}); those it held count"
        if message != self._error:  # once, not with every request
            log.error("api keys", code=error.code, reason=error.reason)
        self._error = message
