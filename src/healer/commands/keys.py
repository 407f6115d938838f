"""`healer keys`: make, show and revoke API keys."""

from __future__ import annotations

import re
import sys
from datetime import date
from pathlib import Path

from rich.console import Console
from rich.table import Table

from healer.auth.keys import KEY_NAME, add_key, read_keys, revoke_key
from healer.errors import InvalidSettings
from healer.settings.loading import Settings

console = Console(highlight=False, soft_wrap=True)
errors = Console(highlight=False, soft_wrap=True, stderr=True)


def add(settings: Settings, name: str, expires: date | None) -> None:
    """The key to stdout, and nothing else, so that it can be piped into a safe."""
    if not re.fullmatch(KEY_NAME, name):
        rule = "must be of letters, digits, '.', '_' and '-', and at most 64 of them"
        raise InvalidSettings("NAME", rule)
    file = file_of(settings)
    key = add_key(file, name, expires)
    errors.print("This key is shown once and kept nowhere; only its digest is.", markup=False)
    sys.stdout.write(f"{key}\n")
    sys.stdout.flush()
    errors.print(f"Send it as 'Authorization: Bearer ...'. Its digest is in {file}.", markup=False)


def show(settings: Settings) -> None:
    """One that was revoked is in the file no more."""
    table = Table("Name", "Made", "Good until", "Now")
    for key in read_keys(file_of(settings)).keys:
        until = f"end of {key.expires} UTC" if key.expires else "no end set"
        now = "expired" if key.expired else "good"
        table.add_row(key.name, f"{key.created:%Y-%m-%d}", until, now)
    console.print(table)


def revoke(settings: Settings, name: str) -> None:
    revoke_key(file_of(settings), name)
    console.print(f"The key of {name} is no longer good.", markup=False)


def file_of(settings: Settings) -> Path:
    if settings.api_keys_file is None:
        raise InvalidSettings("HEALER_API_KEYS_FILE", "is not set: name the file, or use --file")
    return settings.api_keys_file
