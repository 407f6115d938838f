"""What keeps a whole slide, or a part of it, from being read."""

from __future__ import annotations

from dataclasses import dataclass

from healer.errors.base import RequestError
from healer.errors.engine import ModelError


@dataclass(eq=False)
class SlideError(RequestError):
    code = "bad_slide"
    title = "The slide cannot be read"
    message = "The slide cannot be read."
    exit_code = 110


@dataclass(eq=False)
class NotASlide(SlideError):
    code = "not_a_slide"
    title = "The file is not a whole slide"
    message = (
        "The file is not a whole slide that Healer can open. It takes what OpenSlide reads (SVS, "
        "NDPI, MRXS, SCN, BIF, DICOM and more) and TIFF, OME-TIFF and QPTIFF. Check the path, or "
        "export the slide as one of them."
    )


@dataclass(eq=False)
class SlideDamaged(SlideError):
    reason: str
    code = "slide_damaged"
    title = "The slide is truncated or damaged"
    message = "The slide is truncated or damaged ({reason}). Copy or export it again."


@dataclass(eq=False)
class SlideUnsupported(SlideError):
    """`format` names what it is, `advice` what to do instead."""

    format: str
    advice: str = "Export the slide as a tiled 8-bit RGB TIFF pyramid."
    code = "slide_unsupported"
    title = "The slide's format is not supported"
    message = "The slide is {format}. {advice}"


@dataclass(eq=False)
class NotBrightfield(SlideError):
    reason: str
    code = "not_brightfield"
    title = "The slide is not a brightfield scan"
    message = (
        "The slide is not a brightfield scan of stained tissue ({reason}): fluorescence cannot be "
        "judged. Scan the H&E-stained section in transmitted light."
    )


@dataclass(eq=False)
class NoResolution(SlideError):
    """`sources` says what each place that could state it holds."""

    sources: str
    code = "no_resolution"
    title = "The slide states no usable resolution"
    message = (
        "The slide does not state how many micrometres one pixel covers ({sources}). State it: on "
        "the command line --mpp, in a list of slides the column mpp, over HTTP the field mpp of "
        "its /reading. A scanner's 40x is commonly 0.25, its 20x 0.5; look it up rather than guess."
    )


@dataclass(eq=False)
class ResolutionContradictory(SlideError):
    sources: str
    code = "resolution_contradictory"
    title = "The slide contradicts itself about its resolution"
    message = (
        "The slide states several resolutions that cannot all be true ({sources}). State the right "
        "one, in micrometres per pixel: on the command line --mpp, in a list of slides the column "
        "mpp, over HTTP the field mpp of its /reading."
    )


@dataclass(eq=False)
class SlideSeriesIncomplete(SlideError):
    missing: str
    code = "slide_series_incomplete"
    title = "Files of the slide are missing"
    message = (
        "Files that belong to the slide are missing ({missing}). Copy the whole folder, or the "
        "whole DICOM series, to one place."
    )


@dataclass(eq=False)
class SlideTooCostly(SlideError):
    reason: str
    code = "slide_too_costly"
    title = "The slide takes too much to read"
    message = (
        "The slide was not read: reading it {reason}. Check that the file is whole, or export it "
        "as a tiled TIFF pyramid."
    )


@dataclass(eq=False)
class AreaUnreadable(SlideError):
    """In level-0 pixels."""

    x: int
    y: int
    width: int
    height: int
    reason: str
    code = "area_unreadable"
    title = "A part of the slide cannot be read"
    message = (
        "The part of the slide at ({x}, {y}), {width} × {height} pixels, cannot be read "
        "({reason}). The rest was read; scan or copy the slide again to read all of it."
    )


@dataclass(eq=False)
class SlidesNotInstalled(SlideError):
    reason: str
    code = "slides_not_installed"
    title = "The libraries for whole slides are not installed"
    message = (
        "Reading whole slides needs libraries that are missing ({reason}). Install them with: pip "
        "install 'healer[slides]'."
    )
    exit_code = 111


@dataclass(eq=False)
class SlideRunMismatch(SlideError):
    folder: str
    differs: str
    code = "slide_run_mismatch"
    title = "The tiles read so far belong to another run"
    message = (
        "{folder} holds the tiles of a run that differs in {differs}, and one slide must not mix "
        "them. Repeat the command that started it, or choose another --out, as you must where two "
        "slides have one name. --fresh begins again, and replaces the answers that are there."
    )


@dataclass(eq=False)
class SlideTaken(SlideError):
    folder: str
    code = "slide_taken"
    title = "Another run is writing this slide"
    message = "Another run is writing into {folder}. Wait for it to end, or choose another --out."


@dataclass(eq=False)
class SlideAnswersNotWritable(SlideError):
    folder: str
    reason: str
    code = "slide_answers_not_writable"
    title = "The slide's answers cannot be written"
    message = (
        "{folder} cannot be written: {reason}. Mend that and repeat the command: it goes on where "
        "it stopped."
    )


@dataclass(eq=False)
class SlideListUnreadable(SlideError):
    source: str
    reason: str
    code = "slide_list_unreadable"
    title = "The list of slides cannot be read"
    message = (
        "{source} cannot be read as a list of slides ({reason}). Give a CSV file with the column "
        "path and, where slides do not state it rightly, mpp in micrometres per pixel."
    )


@dataclass(eq=False)
class ListedScaleUnusable(SlideError):
    """`value` stands in the list's cell for micrometres per pixel."""

    source: str
    line: int
    value: str
    reason: str
    code = "listed_scale_unusable"
    title = "The list's scale for this slide cannot be used"
    message = (
        "Line {line} of {source} has {value} for micrometres per pixel, which is {reason}. Correct "
        "it, or leave the cell empty where the slide states its own scale."
    )


@dataclass(eq=False)
class ListedWithoutPath(SlideError):
    source: str
    line: int
    code = "listed_without_path"
    title = "The list names no file for this slide"
    message = (
        "Line {line} of {source} has no path. Write the slide's file there, or delete the line."
    )


@dataclass(eq=False)
class SlideListedTwice(SlideError):
    column: str
    values: str
    code = "slide_listed_twice"
    title = "The slide is listed twice, in contradiction"
    message = (
        "The slide is listed more than once, with different values for {column} ({values}). Keep "
        "the row that is right."
    )


@dataclass(eq=False)
class FolderWithoutSlides(SlideError):
    path: str
    code = "folder_without_slides"
    title = "The folder holds no slides"
    message = (
        "{path} holds no file that is named like a slide (.svs, .ndpi, .mrxs, .tif, .dcm and "
        "more). Name the slides themselves, or another folder."
    )


@dataclass(eq=False)
class SlideReplaced(SlideError):
    code = "slide_replaced"
    title = "The slide's file is another now"
    message = (
        "The slide's file was replaced or removed, so that what was read of it may not be of it. "
        "Read it again once the file is whole."
    )


@dataclass(eq=False)
class TooManyPictures(ModelError):
    """`most` is how many fit at once, or may fit."""

    model_id: str
    shown: int
    most: int
    reason: str
    code = "too_many_pictures"
    title = "The model cannot be shown so many pictures at once"
    message = (
        "{model_id} cannot be shown {shown} pictures at once: {reason}. Show it {most} at most "
        "(`healer slide --draft-patches`)."
    )


@dataclass(eq=False)
class EngineWritesNoDraft(ModelError):
    engine: str
    code = "engine_writes_no_draft"
    title = "The engine writes no draft of a report"
    message = (
        "The {engine} engine cannot write a draft of a report: it does not read several pictures "
        "in one prompt. Name one that does (--engine medgemma, openvino or openai), or leave out "
        "--draft."
    )
