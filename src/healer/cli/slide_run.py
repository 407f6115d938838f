"""`healer slide`: a line for each slide as it is answered, and the worklist of all."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.text import Text

from healer import NOTICE
from healer.answer import new_request_id
from healer.cli.predict_files import log_to_stderr
from healer.cli.predict_output import percent, standard_output, words
from healer.cli.progress import OnProgress, ProgressLines, progress
from healer.display import printable
from healer.errors.base import HealerError
from healer.errors.batch import ArchivesNotInstalled
from healer.errors.request import OutputNotWritable
from healer.problem import Problem
from healer.settings.loading import Settings
from healer.slides.answer import ANSWER
from healer.slides.export import WORKLIST, earlier_rows, worklist_row, write_worklist
from healer.slides.listing import ListedSlide, SlideListing
from healer.slides.slide_screener import SlideScreener

if TYPE_CHECKING:  # an extra
    from healer.batch.slides import SlideWorkers

SLIDES_AT_ONCE = 4
Json = dict[str, Any]
STYLES = {"yes": "bold red", "indeterminate": "yellow", "no": "green", "failed": "bold magenta"}


@dataclass(frozen=True, slots=True)
class SlideOutput:
    as_json: bool = False
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class AnsweredSlide:
    """`document` is what `slide.json` says, or the problem; `line` and `row` are of the worklist's,
    for people and for the file."""

    slide: ListedSlide
    document: Json
    line: Text
    row: Json


def answer_slides(
    screener: SlideScreener,
    listing: SlideListing,
    output: SlideOutput,
    ray_address: str | None = None,
) -> bool:
    """True where all were answered."""
    log_to_stderr(screener.settings)
    out = standard_output()
    err = Console(stderr=True, highlight=False, soft_wrap=True)
    for note in () if output.quiet else listing.notes:
        err.print(note, markup=False)
    rows: list[Json] = []
    earlier = earlier_rows(screener.out)
    with closing(screener), ExitStack() as stack:
        screener.prepare()
        if ray_address is not None:
            connection = workers_at(ray_address, screener.reading_settings)
            screener.workers = stack.enter_context(connection)
        alone = screener.second is not None or screener.opener is not None
        answer = one_by_one if alone or ray_address is None else at_once
        for answered in answer(screener, listing.slides, output, err):
            _print(out, output, answered)
            if (draft := answered.document.get("draft")) and not output.quiet:
                name = printable(answered.slide.name)
                err.print(f"{name}: {printable(draft['sentence'])}", markup=False)
            rows.append(answered.row)
            earlier.pop(answered.slide.name, None)
            _write_worklist(screener.out / WORKLIST, [*rows, *earlier.values()])
    if not output.quiet and not output.as_json:
        _print_end(out, rows, screener.out)
    return not any(row.get("error_code") for row in rows)


def workers_at(address: str, settings: Settings) -> AbstractContextManager[SlideWorkers]:
    """Raises ArchivesNotInstalled, and RayUnavailable when it is entered."""
    try:
        from healer.batch.slides import slide_workers
    except ModuleNotFoundError as missing:
        raise ArchivesNotInstalled(str(missing)) from None
    return slide_workers(settings, address)


def one_by_one(
    screener: SlideScreener, slides: Sequence[ListedSlide], output: SlideOutput, err: Console
) -> Iterator[AnsweredSlide]:
    for slide in slides:
        if not output.quiet:
            screener.on_draft = ProgressLines(err, "patches read for the draft").update
        with progress(err, quiet=output.quiet, doing=printable(slide.name)) as update:
            answered = _answered(screener, slide, update)
        yield answered


def at_once(
    screener: SlideScreener, slides: Sequence[ListedSlide], output: SlideOutput, err: Console
) -> Iterator[AnsweredSlide]:
    """Several, so that workers have tiles to read while overviews are read and reports written."""
    with (
        progress(err, quiet=output.quiet) as update,
        ThreadPoolExecutor(max(1, min(SLIDES_AT_ONCE, len(slides)))) as threads,
    ):
        total = TotalProgress(update)
        futures = [
            threads.submit(_answered, screener, slide, total.of(slide.name)) for slide in slides
        ]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BaseException:
            if screener.workers:
                screener.workers.stop()
            threads.shutdown(cancel_futures=True)
            raise


class TotalProgress:
    """Of slides that are read at once, of each as far as its tiles are known."""

    def __init__(self, update: OnProgress) -> None:
        self._update, self._counts = update, dict[str, tuple[int, int]]()
        self._lock = threading.Lock()

    def of(self, name: str) -> OnProgress:
        def update(done: int, total: int) -> None:
            with self._lock:
                self._counts[name] = done, total
                counts = self._counts.values()
                self._update(sum(done for done, _ in counts), sum(total for _, total in counts))

        return update


def _answered(screener: SlideScreener, slide: ListedSlide, update: OnProgress) -> AnsweredSlide:
    """Whatever fails on a slide is its own row's error."""
    path = str(slide.path)
    try:
        if slide.error:
            raise slide.error
        document = screener.answer(slide, lambda now: update(now.done, now.total))
    except HealerError as error:
        problem = Problem.of(error, new_request_id()).model_dump(mode="json")
        row = {
            "slide": slide.name,
            "error_code": error.code,
            "error_message": str(error),
            "path": path,
        }
        return AnsweredSlide(slide, problem, _failure(slide, error), row)
    row = worklist_row(document, path, slide.name)
    return AnsweredSlide(slide, document, _line(row), row)


def _print(console: Console, output: SlideOutput, answered: AnsweredSlide) -> None:
    if output.as_json:
        document = {"path": printable(answered.slide.path), **answered.document}
        text = json.dumps(document, ensure_ascii=False)
        console.print(text, markup=False, highlight=False, soft_wrap=True)
    else:
        console.print(answered.line, soft_wrap=True, highlight=False)


def _line(row: Json) -> Text:
    """Verdict, score, how much was read, name; then what must not be overlooked."""
    verdict, probability = row["verdict"], row["probability"]
    marks = [row["mark"]] * bool(row["mark"]) + ["uncalibrated"] * (
        probability is not None and not row["calibrated"]
    )
    read = f"{row['tissue_mm2']:.1f} mm², {percent(row['read_share'])} read"
    if not row["tissue_mm2"]:
        read = "no tissue found"
    cells = (
        verdict.ljust(len("indeterminate")),
        "–    " if probability is None else f"{probability:.3f}",
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


def _print_end(console: Console, rows: Sequence[Json], out: Path) -> None:
    verdicts = Counter(row.get("verdict", "failed") for row in rows)
    counted = ", ".join(f"{verdicts[word]} {word}" for word in STYLES if verdicts[word])
    console.print(
        Text(
            f"\n{counted or 'no slide'}. {out / WORKLIST} lists them by risk; beside "
            f"each {ANSWER}, report.html shows where.",
            "bold",
        ),
        soft_wrap=True,
    )
    console.print(Text(NOTICE, "dim italic"), soft_wrap=True)
