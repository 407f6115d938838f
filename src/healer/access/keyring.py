"""The keys a running service accepts: those of the file as it is now."""

from __future__ import annotations

import hmac
from pathlib import Path

import structlog

from healer.access import keys
from healer.errors import KeyExpired, KeyRejected, KeysUnreadable

log = structlog.get_logger(__name__)

Stamp = tuple[int, int, int] | None


class Keyring:
    """Reads the file again whenever it was changed; while it cannot be read, what it last held
    counts, so that a slip of the pen locks nobody out and lets nobody in."""

    def __init__(self, file: Path) -> None:
        """Raises KeysUnreadable."""
        self._file = file
        self._stamp = _stamp_of(file)
        self._keys = keys.read(file).keys
        self._trouble: str | None = None
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
        stamp = _stamp_of(self._file)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        try:
            self._keys = keys.read(self._file).keys
        except KeysUnreadable as error:
            self._trouble = (
                f"the file of API keys cannot be read ({error.reason}); those it held count"
            )
            log.error("api keys", code=error.code, reason=error.reason)
        else:
            self._trouble = None
            log.info("api keys", names=[key.name for key in self._keys])


def _stamp_of(file: Path) -> Stamp:
    """Of the file behind a link: Kubernetes changes a mounted secret by moving a link."""
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size
