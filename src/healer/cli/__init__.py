"""The command line:
`healer serve | predict | download | doctor | eval | calibrate | tune | optimize |
audit | keys`."""

from __future__ import annotations

import sys
from io import TextIOWrapper
from typing import Annotated

import typer

from healer import __version__
from healer.cli import answering, auditing, keying, measuring, optimizing, tuning
from healer.cli.homes import at_home
from healer.notice import NOTICE

app = typer.Typer(
    help=f"Colorectal-cancer screening questions, answered from H&E tiles. {NOTICE}",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"healer {__version__}\n")
        raise typer.Exit


@app.callback()
def main(
    _version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Reads settings from the environment and from .env; options win."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # no name may cost an answer


for command in (answering.serve, answering.predict, answering.download, answering.doctor):
    app.command()(at_home(command))
app.command("eval")(at_home(measuring.evaluate))
app.command()(at_home(measuring.calibrate))
app.command(cls=tuning.Tune)(at_home(tuning.tune))
app.command()(at_home(optimizing.optimize))
app.add_typer(auditing.app, name="audit")
app.add_typer(keying.app, name="keys")
