"""The command line: `healer serve | predict | download | doctor`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from healer import __version__
from healer.config import Settings, load_settings
from healer.errors import HealerError
from healer.notice import NOTICE

app = typer.Typer(
    help=f"Colorectal-cancer screening questions, answered from H&E tiles. {NOTICE}",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
complaints = Console(stderr=True, highlight=False, soft_wrap=True)

EngineOption = Annotated[
    str | None, typer.Option("--engine", help="auto, builtin or medgemma (HEALER_ENGINE).")
]


@contextmanager
def spoken_errors() -> Iterator[None]:
    """An error of ours becomes its sentence and its exit code."""
    try:
        yield
    except HealerError as error:
        complaints.print(f"[bold red]{error.title}.[/] ", end="")
        complaints.print(str(error), markup=False)
        raise typer.Exit(error.exit_code) from None
    except KeyboardInterrupt:
        raise typer.Exit(130) from None


def settings_with(**chosen: object) -> Settings:
    return load_settings(**{name: value for name, value in chosen.items() if value is not None})


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


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to serve on (HEALER_HOST).")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 picks a free one (PORT).")] = None,
    engine: EngineOption = None,
) -> None:
    """Serve the page and the HTTP API."""
    from healer.commands.serve import serve as run

    with spoken_errors():
        run(settings_with(host=host, port=port, engine=engine))


@app.command()
def predict(
    paths: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Tiles, or folders.")],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
    engine: EngineOption = None,
) -> None:
    """Answer for image files; folders are walked."""
    from healer.commands.predict import predict as run

    with spoken_errors():
        all_answered = run(settings_with(engine=engine), paths, as_json=json)
    raise typer.Exit(0 if all_answered else 1)


@app.command()
def download() -> None:
    """Download MODEL_ID at MODEL_REVISION into MODEL_DIR."""
    from healer.download import main as run

    raise typer.Exit(run())


@app.command()
def doctor() -> None:
    """Check what Healer needs, and say what to do about what is missing."""
    from healer.commands.doctor import doctor as run

    with spoken_errors():
        healthy = run(settings_with())
    raise typer.Exit(0 if healthy else 1)
