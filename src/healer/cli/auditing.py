"""The audit log: `healer audit verify | export | replay | upgrade`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from healer.audit.export import Format
from healer.cli.homes import at_home
from healer.cli.options import EngineOption
from healer.cli.speech import settings_with, spoken_errors

app = typer.Typer(help="The log that HEALER_AUDIT names.", no_args_is_help=True)


@app.command()
@at_home
def verify(
    head: Annotated[
        str | None, typer.Option(metavar="HASH", help="A head kept from an earlier export.")
    ] = None,
) -> None:
    """Check that every record is as it was written; say which is the first that is not."""
    from healer.commands.audit import verify as run

    with spoken_errors():
        run(settings_with(), head)


@app.command()
@at_home
def export(
    form: Annotated[Format, typer.Option("--format")] = "jsonl",
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A new file, instead of the terminal.")
    ] = None,
) -> None:
    """Write every record out, and the head's hash to stderr: keep it elsewhere."""
    from healer.commands.audit import export as run

    with spoken_errors():
        run(settings_with(), form, out)


@app.command()
@at_home
def replay(
    image: Annotated[Path, typer.Argument(metavar="IMAGE", help="The file that was sent.")],
    engine: EngineOption = None,
    page: Annotated[
        int | None, typer.Option(min=1, help="Which page, of a file that holds several.")
    ] = None,
) -> None:
    """Look at a picture again, and compare with what was answered."""
    from healer.commands.audit import replay as run

    with spoken_errors():
        agrees = run(settings_with(engine=engine), image, page)
    raise typer.Exit(0 if agrees else 1)


@app.command()
@at_home
def upgrade() -> None:
    """Make the log's tables, or bring them to this version; needed once on PostgreSQL."""
    from healer.commands.audit import upgrade as run

    with spoken_errors():
        run(settings_with())
