"""Commands that answer, or make ready to: serve, predict, download, doctor."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from healer.cli.options import (
    CsvOption,
    EngineOption,
    ExplainOption,
    JsonOption,
    Pictures,
    QuietOption,
)
from healer.cli.speech import complaints, settings_with, spoken_errors
from healer.errors import ArchivesNotInstalled
from healer.settings.loading import Settings


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
    paths: Pictures = None,
    json: JsonOption = False,
    explain: ExplainOption = False,
    csv: CsvOption = None,
    quiet: QuietOption = False,
    engine: EngineOption = None,
    gate: Annotated[
        str | None, typer.Option(help="refuse, warn or off: pictures that are no H&E field.")
    ] = None,
    page: Annotated[
        int | None, typer.Option(min=1, help="Which page of files that hold several, from 1.")
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option("--input", help="An archive instead: a folder, a CSV or a Parquet file."),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="With --input: the Parquet file to write.")
    ] = None,
    ray_address: Annotated[
        str | None, typer.Option(help="With --input: a Ray cluster's HOST:PORT, or auto.")
    ] = None,
) -> None:
    """Answer for image files (folders are walked), or for a whole archive into one file.

    A line a tile: verdict, probability, what must not be overlooked, name. Exits with 0 where every
    tile was answered, with 1 where one was not.
    """
    if (source is None) == (not paths):
        raise typer.BadParameter("give either IMAGE..., or --input and --output")
    with spoken_errors():
        settings = settings_with(engine=engine, gate=gate)
        if settings.audit and not quiet:
            complaints.print("HEALER_AUDIT keeps what `healer serve` answers; these are not kept.")
        if source is None:
            _goes_with("--input", output=output, ray_address=ray_address)
            all_answered = _files(settings, paths or [], json, explain, csv, quiet, page)
        else:
            _goes_with("IMAGE...", json=json, explain=explain, csv=csv, page=page)
            all_answered = _archive(settings, source, output, ray_address, quiet=quiet)
    raise typer.Exit(0 if all_answered else 1)


def _files(
    settings: Settings,
    paths: list[str],
    json: bool,
    explain: bool,
    csv: str | None,
    quiet: bool,
    page: int | None,
) -> bool:
    if paths.count("-") > 1:
        raise typer.BadParameter("- is standard input, which can be read once")
    if json and csv == "-":
        raise typer.BadParameter("--json and --csv - would both write to standard output")
    if csv not in (None, "-") and Path(csv).suffix.lower() != ".csv":
        raise typer.BadParameter(f"--csv takes a file that ends in .csv, or -; not {csv}")
    from healer.commands.predict import Output
    from healer.commands.predict import predict as run

    return run(settings, paths, Output(as_json=json, csv=csv, explain=explain, quiet=quiet), page)


def _goes_with(what: str, **options: object) -> None:
    if given := [name for name, value in options.items() if value]:
        raise typer.BadParameter(f"--{given[0].replace('_', '-')} goes with {what}")


def _archive(
    settings: Settings, source: Path, output: Path | None, address: str | None, *, quiet: bool
) -> bool:
    if output is None or output.suffix != ".parquet":
        raise typer.BadParameter("--input needs --output FILE.parquet")
    try:
        from healer.batch.run import BatchRun
        from healer.commands.archive import archive
    except ModuleNotFoundError as missing:
        raise ArchivesNotInstalled(str(missing)) from None
    return archive(BatchRun(settings, source, output, address), quiet=quiet)


def download() -> None:
    """Download MODEL_ID at MODEL_REVISION into MODEL_DIR."""
    from healer.download import main as run

    raise typer.Exit(run())


def doctor(
    json: Annotated[
        bool, typer.Option("--json", help="Print the same as one JSON object instead.")
    ] = False,
    speed: Annotated[
        bool, typer.Option("--speed", help="Also measure verdicts, for about a minute.")
    ] = False,
) -> None:
    """Check what Healer needs, and say what to do about what is missing."""
    from healer.commands.doctor import doctor as run

    with spoken_errors():
        healthy = run(settings_with(), as_json=json, speed=speed)
    raise typer.Exit(0 if healthy else 1)
