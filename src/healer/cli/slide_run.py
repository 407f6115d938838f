"""`healer slide`: a line for each slide as it is answered, and the worklist of all."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from healer import NOTICE
from healer.answer import new_request_id
from healer.cli.predict_files import log_to_stderr
from healer.cli.predict_output import percent, standard_output, words
from healer.cli.progress import progress
from healer.display import printable
from healer.errors.base import HealerError
from healer.errors.request import OutputNotWritable
from healer.problem import Problem
from healer.slides.answer import ANSWER
from healer.slides.export import WORKLIST, earlier_rows, worklist_row, write_worklist
from healer.slides.listing import ListedSlide, SlideListing
from healer.slides.slide_screener import SlideScreener

Json = dict[str, Any]
STYLES = {"yes": "bold red", "indeterminate": "yellow", "no": "green", "failed": "bold magenta"}


@dataclass(frozen=True, slots=True)
class SlideOutput:
    as_json: bool = False
    quiet: bool = False


def answer_slides(screener: SlideScreener, listing: SlideListing, output: SlideOutput) -> bool:
    """True where all were answered."""
    log_to_stderr(screener.settings)
    err = Console(stderr=True, highlight=False, soft_wrap=True)
    for note in () if output.quiet else listing.notes:
        err.print(note, markup=False)
    rows: list[Json] = []
    earlier = earlier_rows(screener.out)
    with closing(screener):
        screener.prepare()
        for slide in listing.slides:
            rows.append(_answered(screener, slide, output, err))
            earlier.pop(slide.name, None)
            _write_worklist(screener.out / WORKLIST, [*rows, *earlier.values()])
    if not output.quiet and not output.as_json:
        _print_end(rows, screener.out)
    return not any(row.get("error_code") for row in rows)


def _answered(
    screener: SlideScreener, slide: ListedSlide, output: SlideOutput, err: Console
) -> Json:
    """Its row of the worklist; whatever fails on a slide is its own row's error."""
    path = str(slide.path)
    try:
        if slide.error:
            raise slide.error
        with progress(err, quiet=output.quiet, doing=printable(slide.name)) as update:
            document = screener.answer(slide, lambda now: update(now.done, now.total))
    except HealerError as error:
        problem = Problem.of(error, new_request_id())
        _print(output, slide, problem.model_dump(mode="json"), _failure(slide, error))
        return {
            "slide": slide.name,
            "error_code": error.code,
            "error_message": str(error),
            "path": path,
        }
    row = worklist_row(document, path, slide.name)
    _print(output, slide, document, _line(row))
    if document.get("draft") and not output.quiet:
        err.print(
            f"{printable(slide.name)}: {printable(document['draft']['sentence'])}", markup=False
        )
    return row


def _print(output: SlideOutput, slide: ListedSlide, document: Json, line: Text) -> None:
    console = standard_output()
    if output.as_json:
        text = json.dumps({"path": printable(slide.path), **document}, ensure_ascii=False)
        console.print(text, markup=False, highlight=False, soft_wrap=True)
    else:
        console.print(line, soft_wrap=True, highlight=False)


def _line(row: Json) -> Text:
    """Verdict, score, how much was read, name; then what must not be overlooked."""
    verdict = row["verdict"]
    marks = [row["mark"]] * bool(row["mark"]) + ["uncalibrated"] * (not row["calibrated"])
    read = f"{row['tissue_mm2']:.1f} mm², {percent(row['read_share'])} read"
    cells = (
        verdict.ljust(len("indeterminate")),
        f"{row['probability']:.3f}",
        f"{row['regions']} region{'s' * (row['regions'] != 1)}".ljust(len("100 regions")),
        read.ljust(len("1000.0 mm², 100.0 % read")),
        ", ".join(marks).ljust(len("high-grade, uncalibrated")),
        printable(row["slide"]),
    )
    text = Text("  ".join(cells))
    text.stylize(STYLES[verdict], 0, len(cells[0]))
    return text


def _failure(slide: ListedSlide, error: HealerError) -> Text:
    text = Text(f"{'failed'.ljust(len('indeterminate'))}  {printable(slide.name)}: ")
    text.stylize(STYLES["failed"], 0, len("failed"))
    return text.append(printable(f"{words(error.code)}. {error}"))


def _write_worklist(place: Path, rows: Sequence[Json]) -> None:
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        write_worklist(place, rows)
    except OSError as error:
        raise OutputNotWritable(place.name, error.strerror or type(error).__name__) from None


def _print_end(rows: Sequence[Json], out: Path) -> None:
    verdicts = Counter(row.get("verdict", "failed") for row in rows)
    counted = ", ".join(f"{verdicts[word]} {word}" for word in STYLES if verdicts[word])
    console = standard_output()
    console.print(
        Text(
            f"\n{counted or 'no slide'}. {out / WORKLIST} lists them by risk; beside "
            f"each {ANSWER}, report.html shows where.",
            "bold",
        ),
        soft_wrap=True,
    )
    console.print(Text(NOTICE, "dim italic"), soft_wrap=True)
