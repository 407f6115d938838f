"""Where the log is, as HEALER_AUDIT says it."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from healer.config.paths import expanded
from healer.errors import InvalidSettings

ON = "sqlite:///healer-audit.db"
DRIVERS = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+psycopg"}


def address(audit: str) -> URL:
    """Raises InvalidSettings, in words that hold no password."""
    try:
        url = make_url(ON if audit.lower() == "on" else audit)
    except ArgumentError:
        url = None
    if url is None or url.drivername not in DRIVERS or not url.database:
        raise InvalidSettings(
            "HEALER_AUDIT", "must be sqlite:///FILE, postgresql://USER:PASSWORD@HOST/NAME or on"
        )
    if url.drivername == "sqlite" and (url.host or url.query or url.database == ":memory:"):
        raise InvalidSettings(
            "HEALER_AUDIT", "must name a file on this machine, such as sqlite:////var/lib/audit.db"
        )
    return _at_home(url.set(drivername=DRIVERS[url.drivername]))


def _at_home(url: URL) -> URL:
    if url.get_backend_name() != "sqlite" or url.database is None:
        return url
    try:
        return url.set(database=str(expanded(Path(url.database))))
    except ValueError as reason:
        raise InvalidSettings("HEALER_AUDIT", f"cannot be used: {reason}") from None
