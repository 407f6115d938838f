"""`healer predict`: its options, and which of them go together."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from healer.cli.common import (
    CsvOption,
    EngineOption,
    ExplainOption,
    ImagesArgument,
    JsonOption,
    QuietOption,
    exit_on_error,
    settings_with,
    stderr,
)
from healer.errors.batch import ArchivesNotInstalled
from healer.settings.loading import Settings


def predict(
    paths: ImagesArgument = None,
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
    with exit_on_error():
        settings = settings_with(engine=engine, gate=gate)
        if settings.audit and not quiet:
            stderr.print("HEALER_AUDIT keeps what `healer serve` answers; these are not kept.")
        if source is None:
            _only_with("--input", output=output, ray_address=ray_address)
            all_answered = _predict_files(settings, paths or [], json, explain, csv, quiet, page)
        else:
            _only_with("IMAGE...", json=json, explain=explain, csv=csv, page=page)
            all_answered = _predict_archive(settings, source, output, ray_address, quiet=quiet)
    raise typer.Exit(0 if all_answered else 1)


def _predict_files(
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
    from healer.cli.predict_files import Output, predict_files

    return predict_files(
        settings, paths, Output(as_json=json, csv=csv, explain=explain, quiet=quiet), page
    )


def _only_with(what: str, **options: object) -> None:
    if given := [name for name, value in options.items() if value]:
        raise typer.BadParameter(f"--{given[0].replace('_', '-')} goes with {what}")


def _predict_archive(
    settings: Settings, source: Path, output: Path | None, address: str | None, *, quiet: bool
) -> bool:
    if output is None or output.suffix != ".parquet":
        raise typer.BadParameter("--input needs --output FILE.parquet")
    try:
        from healer.batch.run import BatchRun
        from healer.cli.predict_archive import predict_archive
    except ModuleNotFoundError as missing:
        raise ArchivesNotInstalled(str(missing)) from None
    return predict_archive(BatchRun(settings, source, output, address), quiet=quiet)
