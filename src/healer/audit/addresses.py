"""Where the log is, as HEALER_AUDIT says it."""

from __future__ import annotations

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

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
    return url.set(drivername=DRIVERS[url.drivername])
