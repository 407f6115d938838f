"""`healer calibrate`: its options."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from healer.cli.common import (
    AnswersOption,
    DataOption,
    DatasetArgument,
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


def calibrate(
    dataset: DatasetArgument,
    engine: EngineOption = None,
    answers: AnswersOption = None,
    info: InfoOption = None,
    out: Annotated[
        Path | None,
        typer.Option(help="File to write; the default is where Healer looks for MedGemma's."),
    ] = None,
    limit: LimitOption = None,
    yes: YesOption = None,
    ignore: IgnoreOption = None,
    download: DownloadOption = False,
    data: DataOption = Path("runs/datasets"),
    slides: SlidesOption = None,
    sensitivity: Annotated[
        float,
        typer.Option(min=0.5, max=1, help="With --slides: of slides with cancer, not called no."),
    ] = 0.99,
) -> None:
    """Fit probabilities and the two cuts on tiles of known answer, or on slides."""
    with exit_on_error():
        if slides is not None:
            with needs_extra():
                from healer.cli.slide_labels import calibrate_slides
            source = Path(dataset)
            calibrate_slides(source, slides, yes or (), ignore or (), sensitivity, out, data)
            return
        with needs_extra():
            from healer.cli.calibrate_run import calibrate as run
            from healer.cli.evaluate_run import EvaluationRequest
        request = EvaluationRequest(
            dataset=dataset,
            yes=tuple(yes or ()),
            ignore=tuple(ignore or ()),
            download=download,
            data=data,
            limit=limit,
            answers=answers,
            info=info,
            shifts=answers is not None,  # scoring again under each would take long
        )
        run(settings_with(engine=engine, calibration="off"), request, out)
