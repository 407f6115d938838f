"""The command line:
`healer serve | predict | slide | watch | download | doctor | eval | calibrate | tune |
optimize | audit | keys`."""

from __future__ import annotations

import sys
from io import TextIOWrapper
from typing import Annotated

import typer

from healer import NOTICE, __version__
from healer.cli import (
    audit,
    calibrate,
    doctor,
    evaluate,
    keys,
    optimize,
    predict,
    serve,
    slide,
    tune,
    watch,
)
from healer.cli.common import expand_paths

app = typer.Typer(
    help=f"Colorectal-cancer screening questions, answered from H&E tiles. {NOTICE}",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(requested: bool) -> None:
    if requested:
        sys.stdout.write(f"healer {__version__}\n")
        raise typer.Exit


@app.callback()
def main(
    _version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Reads settings from the environment and from .env; options win."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # no name may cost an answer


def download() -> None:
    """Download MODEL_ID at MODEL_REVISION into MODEL_DIR."""
    from healer.download import main as run

    raise typer.Exit(run())


for command in (serve.serve, predict.predict, slide.slide, watch.watch, download, doctor.doctor):
    app.command()(expand_paths(command))
app.command("eval")(expand_paths(evaluate.evaluate))
app.command()(expand_paths(calibrate.calibrate))
app.command(cls=tune.TuneCommand)(expand_paths(tune.tune))
app.command()(expand_paths(optimize.optimize))
app.add_typer(audit.app, name="audit")
app.add_typer(keys.app, name="keys")
