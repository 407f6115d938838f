"""`healer slide`: answers for whole slides."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from healer.cli.common import JsonOption, exit_on_error, settings_with
from healer.errors.slides import SlidesNotInstalled


class Colour(StrEnum):
    RAW = "raw"
    SRGB = "srgb"


def slide(
    paths: Annotated[
        list[Path],
        typer.Argument(
            metavar="PATH...", help="Slides, folders, or a CSV list with path and, if need be, mpp."
        ),
    ],
    out: Annotated[Path, typer.Option(help="A folder is made in it for each slide.")],
    mpp: Annotated[
        float | None,
        typer.Option(min=0.05, max=20, help="Micrometres per pixel, where slides do not say."),
    ] = None,
    engine: Annotated[
        str | None,
        typer.Option(
            help="A second model (medgemma, openvino, openai or auto), asked about the most "
            "suspicious places."
        ),
    ] = None,
    patches: Annotated[
        int, typer.Option(min=1, max=125, help="With --engine: how many places it is shown.")
    ] = 8,
    coverage: Annotated[
        float,
        typer.Option(min=0, max=1, help="The share of the tissue to be read before a slide is no."),
    ] = 0.95,
    overlap: Annotated[
        float,
        typer.Option(min=0, max=0.75, help="The share of a tile's side that the next covers."),
    ] = 0.0,
    icc: Annotated[
        Colour, typer.Option(help="srgb applies the slide's colour profile; raw does not.")
    ] = Colour.RAW,
    calibration: Annotated[
        Path | None,
        typer.Option(help="A calibration fitted on slides (healer calibrate --slides)."),
    ] = None,
    seed: Annotated[int, typer.Option(help="Of the places shown to the second model.")] = 0,
    json: JsonOption = False,
    fresh: Annotated[
        bool, typer.Option("--fresh/--resume", help="Begin again what an earlier run has read.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only the answers.")] = False,
) -> None:
    """Answer for whole slides: a verdict, a map, a report, and an account of what was read.

    A line a slide; DIR/slides.csv is the worklist, most suspicious first. A run that was stopped
    goes on where it was. Exits with 0 where every slide was answered, with 1 where one was not.
    """
    if engine == "builtin":
        raise typer.BadParameter(
            "the built-in model reads every slide already; name a second one", param_hint="--engine"
        )
    with exit_on_error():
        settings = settings_with(engine=engine)
        try:
            from healer.cli.slide_run import SlideOutput, answer_slides
            from healer.slides.run import SlideOptions
            from healer.slides.slide_screener import SlideScreener
        except ModuleNotFoundError as missing:
            raise SlidesNotInstalled(str(missing)) from None
        options = SlideOptions(coverage, overlap, patches, seed)
        screener = SlideScreener(settings, out, options, mpp, icc.value, engine, fresh, calibration)
        all_answered = answer_slides(screener, paths, SlideOutput(as_json=json, quiet=quiet))
    raise typer.Exit(0 if all_answered else 1)
