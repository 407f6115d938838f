"""`healer predict`: its options, which of them go together, and answers for a whole archive."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from healer import NOTICE
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
from healer.cli.progress import progress
from healer.display import printable
from healer.errors.batch import ArchivesNotInstalled
from healer.settings.loading import Settings

if TYPE_CHECKING:  # an extra
    from healer.batch.run import BatchRun, Report


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
    except ModuleNotFoundError as missing:
        raise ArchivesNotInstalled(str(missing)) from None
    return predict_archive(BatchRun(settings, source, output, address), quiet=quiet)


def predict_archive(job: BatchRun, *, quiet: bool = False) -> bool:
    """Answer for every tile of the archive; True where all have an answer."""
    from healer.batch.run import run

    out, err = Console(), Console(stderr=True, highlight=False, soft_wrap=True)
    try:
        with progress(err, quiet=quiet) as on_progress:
            report = run(
                job, on_progress, lambda line: err.print(line, style="yellow", markup=False)
            )
    except KeyboardInterrupt:
        err.print("Stopped. What was answered is kept: repeat the command to go on.")
        raise
    for line in () if quiet else summary(job, report):
        out.print(printable(line), markup=False, highlight=False, soft_wrap=True)
    return not report.counts.errors


def summary(job: BatchRun, report: Report) -> Iterator[str]:
    yield f"{report.tiles:,} tiles in {job.output}: {_counted(report.counts.verdicts)}."
    if report.counts.errors:
        refused = report.counts.errors.total()
        yield f"{refused:,} without an answer: {_counted(report.counts.errors)}."
    yield from report.notes
    if report.resumed:
        yield f"{report.resumed:,} were answered before and kept."
    if report.scored:
        yield (
            f"{report.scored:,} scored in {report.seconds:,.1f} s by {_workers(report)}: "
            f"{report.rate:.1f} tiles/s."
        )
    yield NOTICE


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.most_common()) or "no answer"


def _workers(report: Report) -> str:
    workers = f"{report.workers} worker{'s' * (report.workers != 1)}"
    return f"{workers} ({len(report.replaced)} replaced)" if report.replaced else workers
