"""The keys a running service accepts: those of the file as it is now."""

from __future__ import annotations

import hmac
import time
from dataclasses import dataclass
from pathlib import Path

import structlog

from healer.access import keys
from healer.access.keys import Key
from healer.errors import KeyExpired, KeyRejected, KeysUnreadable

log = structlog.get_logger(__name__)

# A file that was changed less than this before it was read may be changed again without its stamp
# telling: clocks of file systems tick coarsely, some only every two seconds.
SETTLED_NS = 3_000_000_000


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a file's change shows in. Of the file behind a link: Kubernetes changes a mounted secret
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
        """Whether a further change is sure to show; a time ahead of our clock tells nothing."""
        return time.time_ns() - self.changed_ns > SETTLED_NS


class Keyring:
    """Reads the file again whenever it was changed, or may have been; while it cannot be read, what
    it last held counts, so that a slip of the pen locks nobody out and lets nobody in."""

    def __init__(self, file: Path) -> None:
        """Raises KeysUnreadable."""
        self._file = file
        self._stamp: Stamp | None = None  # of what was read; None where it must be read again
        self._trouble: str | None = None
        self._keys = self._read()
        log.info("api keys", names=[key.name for key in self._keys])

    def holder(self, offered: str) -> str:
        """The key's name; raises KeyRejected or KeyExpired."""
        self._look_again()
        offered_digest = keys.digest(offered)
        # Every key is compared, in constant time: how long it takes says nothing.
        found = [key for key in self._keys if hmac.compare_digest(key.sha256, offered_digest)]
        if not found:
            raise KeyRejected
        if found[0].expired:
            raise KeyExpired(str(found[0].expires))
        return found[0].name

    def warnings(self) -> list[str]:
        self._look_again()
        told = [self._trouble] if self._trouble else []
        if not any(not key.expired for key in self._keys):
            told.append("no API key is good now, so nobody can ask: `healer keys add NAME`")
        return told

    def _look_again(self) -> None:
        if self._stamp is not None and self._stamp == Stamp.of(self._file):
            return
        try:
            found = self._read()
        except KeysUnreadable as error:
            self._fail(error)
            return
        if self._trouble or self._keys != found:
            log.info("api keys", names=[key.name for key in found])
        self._keys, self._trouble = found, None

    def _read(self) -> tuple[Key, ...]:
        """Raises KeysUnreadable, and then the file will be read again whatever its stamp."""
        self._stamp = None
        before = Stamp.of(self._file)
        found = keys.read(self._file).keys
        after = Stamp.of(self._file)
        if after is not None and before == after and after.settled:
            self._stamp = after
        return found

    def _fail(self, error: KeysUnreadable) -> None:
        trouble = f"the file of API keys cannot be read ({error.reason}); those it held count"
        if trouble != self._trouble:  # once, not with every request
            log.error("api keys", code=error.code, reason=error.reason)
        self._trouble = trouble
