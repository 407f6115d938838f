"""`healer keys add | list | revoke`: the API keys."""

from __future__ import annotations

import re
import sys
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from healer.cli.common import exit_on_error, expand_paths, settings_with, stderr
from healer.errors.base import InvalidSettings

app = typer.Typer(
    help="API keys, in the file that HEALER_API_KEYS_FILE names.", no_args_is_help=True
)
FileOption = Annotated[
    Path | None, typer.Option("--file", help="The file of keys (HEALER_API_KEYS_FILE).")
]


@app.command()
@expand_paths
def add(
    name: Annotated[str, typer.Argument(help="Who will use it; it stands in the audit log.")],
    expires: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="The last day (UTC) on which it is good."),
    ] = None,
    file: FileOption = None,
) -> None:
    """Make a key and print it, once. A running service takes it at once.

    Only the key goes to standard output, so that it can be piped into a safe.
    """
    from healer.auth.keys import KEY_NAME, add_key

    with exit_on_error():
        keys_file = keys_file_of(file)
        if not re.fullmatch(KEY_NAME, name):
            rule = "must be of letters, digits, '.', '_' and '-', and at most 64 of them"
            raise InvalidSettings("NAME", rule)
        key = add_key(keys_file, name, expires.date() if expires else None)
        stderr.print("This key is shown once and kept nowhere; only its digest is.", markup=False)
        sys.stdout.write(f"{key}\n")
        sys.stdout.flush()
        stderr.print(
            f"Send it as 'Authorization: Bearer ...'. Its digest is in {keys_file}.", markup=False
        )


@app.command("list")
@expand_paths
def show(file: FileOption = None) -> None:
    """Names and dates; the keys themselves are kept nowhere."""
    from healer.auth.keys import read_keys

    with exit_on_error():
        table = Table("Name", "Made", "Good until", "Now")
        for key in read_keys(keys_file_of(file)).keys:
            until = f"end of {key.expires} UTC" if key.expires else "no end set"
            now = "expired" if key.expired else "good"
            table.add_row(key.name, f"{key.created:%Y-%m-%d}", until, now)
        Console(highlight=False, soft_wrap=True).print(table)


@app.command()
@expand_paths
def revoke(
    name: Annotated[str, typer.Argument(help="As `healer keys list` shows it.")],
    file: FileOption = None,
) -> None:
    """Take a key back. A running service refuses it at once."""
    from healer.auth.keys import revoke_key

    with exit_on_error():
        revoke_key(keys_file_of(file), name)
        console = Console(highlight=False, soft_wrap=True)
        console.print(f"The key of {name} is no longer good.", markup=False)


def keys_file_of(file: Path | None) -> Path:
    settings = settings_with(api_keys_file=file)
    if settings.api_keys_file is None:
        raise InvalidSettings("HEALER_API_KEYS_FILE", "is not set: name the file, or use --file")
    return settings.api_keys_file
