"""Commands that answer, or make ready to: serve, predict, download, doctor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from healer.cli.options import EngineOption
from healer.cli.speech import settings_with, spoken_errors


def serve(
    host: Annotated[str | None, typer.Option(help="Address to serve on (HEALER_HOST).")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 picks a free one (PORT).")] = None,
    engine: EngineOption = None,
) -> None:
    """Serve the page and the HTTP API."""
    from healer.commands.serve import serve as run

    with spoken_errors():
        run(settings_with(host=host, port=port, engine=engine))


def predict(
    paths: Annotated[list[Path], typer.Argument(metavar="IMAGE...", help="Tiles, or folders.")],
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object a line.")] = False,
    engine: EngineOption = None,
    gate: Annotated[
        str | None, typer.Option(help="refuse, warn or off: pictures that are no H&E field.")
    ] = None,
) -> None:
    """Answer for image files; folders are walked."""
    from healer.commands.predict import predict as run

    with spoken_errors():
        all_answered = run(settings_with(engine=engine, gate=gate), paths, as_json=json)
    raise typer.Exit(0 if all_answered else 1)


def download() -> None:
    """Download MODEL_ID at MODEL_REVISION into MODEL_DIR."""
    from healer.download import main as run

    raise typer.Exit(run())


def doctor() -> None:
    """Check what Healer needs, and say what to do about what is missing."""
    from healer.commands.doctor import doctor as run

    with spoken_errors():
        healthy = run(settings_with())
    raise typer.Exit(0 if healthy else 1)
