"""The API keys: `healer keys add | list | revoke`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from healer.cli.homes import at_home
from healer.cli.speech import settings_with, spoken_errors

app = typer.Typer(
    help="API keys, in the file that HEALER_API_KEYS_FILE names.", no_args_is_help=True
)
FileOption = Annotated[
    Path | None, typer.Option("--file", help="The file of keys (HEALER_API_KEYS_FILE).")
]


@app.command()
@at_home
def add(
    name: Annotated[str, typer.Argument(help="Who will use it; it stands in the audit log.")],
    expires: Annotated[
        datetime | None,
        typer.Option(formats=["%Y-%m-%d"], help="The last day (UTC) on which it is good."),
    ] = None,
    file: FileOption = None,
) -> None:
    """Make a key and print it, once. A running service takes it at once."""
    from healer.commands.keys import add as run

    with spoken_errors():
        run(settings_with(api_keys_file=file), name, expires.date() if expires else None)


@app.command("list")
@at_home
def show(file: FileOption = None) -> None:
    """Names and dates; the keys themselves are kept nowhere."""
    from healer.commands.keys import show as run

    with spoken_errors():
        run(settings_with(api_keys_file=file))


@app.command()
@at_home
def revoke(
    name: Annotated[str, typer.Argument(help="As `healer keys list` shows it.")],
    file: FileOption = None,
) -> None:
    """Take a key back. A running service refuses it at once."""
    from healer.commands.keys import revoke as run

    with spoken_errors():
        run(settings_with(api_keys_file=file), name)
