"""`healer eval`: its options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from healer.cli.common import (
    DATASET_HELP,
    AnswersOption,
    CalibrationOption,
    DataOption,
    DownloadOption,
    EngineOption,
    IgnoreOption,
    InfoOption,
    LimitOption,
    SlidesOption,
    YesOption,
    exit_on_error,
    settings_with,
)
from healer.evaluation import needs_extra


def evaluate(
    dataset: Annotated[str | None, typer.Argument(metavar="DATASET", help=DATASET_HELP)] = None,
    engine: EngineOption = None,
    answers: AnswersOption = None,
    info: InfoOption = None,
    calibration: CalibrationOption = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for the results; one of a stopped run goes on.")
    ] = None,
    limit: LimitOption = None,
    yes: YesOption = None,
    ignore: IgnoreOption = None,
    download: DownloadOption = False,
    data: DataOption = Path("runs/datasets"),
    shifts: Annotated[
        bool, typer.Option("--shifts/--no-shifts", help="Also under JPEG, stain, blur and scale.")
    ] = True,
    baseline: Annotated[
        bool, typer.Option("--baseline/--no-baseline", help="Also what colour alone can do.")
    ] = True,
    resamples: Annotated[
        int, typer.Option(min=0, help="Resamples of cases behind each 95 % interval.")
    ] = 1000,
    compare: Annotated[
        tuple[Path, Path] | None,
        typer.Option("--compare", metavar="A B", help="Compare two folders of results instead."),
    ] = None,
    max_loss: Annotated[
        float,
        typer.Option(
            min=0,
            help="With --compare: exit 1 if B loses more AUROC, or changes a larger share of "
            "verdicts, than this.",
        ),
    ] = 0.02,
    slides: SlidesOption = None,
) -> None:
    """Measure how good the answers to a dataset are, or compare two such measurements."""
    if (dataset is None) == (compare is None):
        raise typer.BadParameter("give either DATASET or --compare A B")
    within = True
    with exit_on_error():
        with needs_extra():
            from healer.cli.evaluate_run import EvaluationRequest, compare_runs
            from healer.cli.evaluate_run import evaluate as run
        if slides is not None:
            with needs_extra():
                from healer.cli.slide_labels import evaluate_slides
            source = Path(str(dataset))
            evaluate_slides(source, slides, yes or (), ignore or (), resamples, out, data)
        elif compare:
            within = compare_runs(*compare, max_loss, resamples)
        else:
            request = EvaluationRequest(
                dataset=str(dataset),
                yes=tuple(yes or ()),
                ignore=tuple(ignore or ()),
                download=download,
                data=data,
                limit=limit,
                answers=answers,
                info=info,
                out=out,
                shifts=shifts,
                baseline=baseline,
                resamples=resamples,
            )
            run(settings_with(engine=engine, calibration=calibration), request)
    raise typer.Exit(0 if within else 1)
