"""`healer slide`: answers for whole slides."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from healer.cli.common import JsonOption, exit_on_error, settings_with
from healer.errors.hospital import HospitalNotInstalled
from healer.errors.slides import SlidesNotInstalled

if TYPE_CHECKING:
    from healer.hospital.source import DicomSource
    from healer.settings.loading import Settings


class Colour(StrEnum):
    RAW = "raw"
    SRGB = "srgb"


def slide(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="PATH...", help="Slides, folders, or a CSV list with path and, if need be, mpp."
        ),
    ] = None,
    *,
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
    draft: Annotated[
        bool,
        typer.Option(
            "--draft",
            help="With --engine: it also writes the draft of a report, each sentence with its "
            "patch.",
        ),
    ] = False,
    draft_patches: Annotated[
        int,
        typer.Option(min=1, max=125, help="With --draft: how many patches it is shown at once."),
    ] = 125,
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
    dicomweb: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Read from this DICOM archive; --series says what."),
    ] = None,
    series: Annotated[
        list[str] | None,
        typer.Option(metavar="UID", help="With --dicomweb: a series instance UID."),
    ] = None,
    dicom_results: Annotated[
        bool,
        typer.Option(
            "--dicom-results", help="Also write the answer as DICOM objects and a FHIR bundle."
        ),
    ] = False,
    seed: Annotated[int, typer.Option(help="Of the places shown to the second model.")] = 0,
    json: JsonOption = False,
    fresh: Annotated[
        bool, typer.Option("--fresh/--resume", help="Begin again what an earlier run has read.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Only the answers.")] = False,
    ray_address: Annotated[
        str | None,
        typer.Option(
            help="A Ray cluster's HOST:PORT, or auto: its workers read the tiles. They must have "
            "the slides under the same paths."
        ),
    ] = None,
) -> None:
    """Answer for whole slides: a verdict, a map, a report, and an account of what was read.

    A line a slide; DIR/slides.csv is the worklist, most suspicious first. A run that was stopped
    goes on where it was. Exits with 0 where every slide was answered, with 1 where one was not.
    """
    check_engine(engine, draft=draft)
    check_source(paths, dicomweb, series, icc)
    if dicomweb and ray_address:
        raise typer.BadParameter("workers read files, not archives", param_hint="--ray-address")
    with exit_on_error():
        settings = settings_with(engine=engine)
        try:
            from healer.cli.slide_run import SlideOutput, answer_slides
            from healer.slides.listing import list_slides
            from healer.slides.run import SlideOptions
            from healer.slides.slide_screener import SlideScreener
        except ModuleNotFoundError as missing:
            raise SlidesNotInstalled(str(missing)) from None
        options = SlideOptions(coverage, overlap, patches, seed, draft_patches if draft else 0)
        screener = SlideScreener(settings, out, options, mpp, icc.value, engine, fresh, calibration)
        if dicomweb or dicom_results:
            source = dicom_source(settings, dicomweb, icc, results=dicom_results)
            screener.opener, screener.on_answered = source.open, source.write_and_post
        listing = source.listing(series or []) if dicomweb else list_slides(paths or [])
        output = SlideOutput(as_json=json, quiet=quiet)
        all_answered = answer_slides(screener, listing, output, ray_address)
    raise typer.Exit(0 if all_answered else 1)


def check_engine(engine: str | None, *, draft: bool) -> None:
    """Raises BadParameter."""
    if engine == "builtin":
        raise typer.BadParameter(
            "the built-in model reads every slide already; name a second one", param_hint="--engine"
        )
    if draft and not engine:
        raise typer.BadParameter(
            "the built-in model writes no text; name a model that does with --engine",
            param_hint="--draft",
        )


def check_source(
    paths: list[Path] | None, dicomweb: str | None, series: list[str] | None, icc: Colour
) -> None:
    """Raises BadParameter."""
    if dicomweb and (paths or not series):
        raise typer.BadParameter(
            "name series with --series UID, and no files", param_hint="--dicomweb"
        )
    if not dicomweb and not paths:
        raise typer.BadParameter("name a slide, a folder or a list", param_hint="PATH...")
    if dicomweb and icc is not Colour.RAW:
        raise typer.BadParameter("slides of an archive are read as stored", param_hint="--icc")


def dicom_source(
    settings: Settings, dicomweb: str | None, icc: Colour, *, results: bool
) -> DicomSource:
    """Raises HospitalNotInstalled and InvalidSettings."""
    try:
        from healer.hospital.archive import Archive
        from healer.hospital.source import DicomSource
    except ModuleNotFoundError as missing:
        raise HospitalNotInstalled(missing.name or str(missing)) from None
    archive = Archive(dicomweb, settings) if dicomweb else None
    return DicomSource(settings, archive, icc.value, results)
