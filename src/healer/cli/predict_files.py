"""`healer predict`: the HTTP service's answers, for files, each as soon as it is known."""

from __future__ import annotations

import os
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rich.console import Console
from rich.progress import track

from healer.answer import Prediction
from healer.cli.predict_output import Csv, JsonLines, Rows, summary, uninterrupted, verdict_of
from healer.display import printable
from healer.errors.request import AddressNotFile, FileNotReadable, FolderWithoutImages
from healer.files.walk import LeftOut, walk
from healer.outcomes import Embedded, Outcome, Source, Unread, outcomes
from healer.screening.opening import choose_engine, open_screener
from healer.screening.pipeline import THREAD_PREFIX
from healer.settings.loading import Settings
from healer.telemetry.logs import configure

STANDARD_INPUT = "-"
ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://|data:", re.IGNORECASE)
INTERRUPTED = 130
READER_GRACE_SECONDS = 1.0

notes = Console(stderr=True, highlight=False, soft_wrap=True)


class Sink(Protocol):
    def write(self, outcome: Outcome) -> None: ...


@dataclass(frozen=True, slots=True)
class Output:
    """How answers are written. `csv` is a file, or `-` for standard output."""

    as_json: bool = False
    csv: str | None = None
    explain: bool = False
    quiet: bool = False

    @property
    def rows(self) -> bool:
        """Whether people are shown a line a tile."""
        return not (self.as_json or self.csv == "-" or (self.quiet and self.csv))


def predict_files(
    settings: Settings, paths: Iterable[str], output: Output, page: int | None = None
) -> bool:
    """Answer for every image at or below `paths`; True where all were answered. `page` is the one
    to read of each file that holds several."""
    try:
        return _predict_files(settings, paths, output, page)
    except KeyboardInterrupt:
        exit_if_reader_hangs()
        raise


def _predict_files(
    settings: Settings, paths: Iterable[str], output: Output, page: int | None
) -> bool:
    log_to_stderr(settings)
    tiles, left_out = find_sources(paths, settings.max_bytes)
    if left_out and not output.quiet:
        notes.print(str(left_out), markup=False)
    unread = [tile.error for tile in tiles if isinstance(tile, Unread)]
    if len(unread) == len(tiles):
        raise unread[0]
    with ExitStack() as stack:
        sinks = list(open_sinks(output, stack))  # before the model, which takes long
        screener = open_screener(choose_engine(settings), settings)
        stack.callback(screener.engine.close)
        if not output.quiet:
            for warning in screener.warnings:
                notes.print(f"The model: {printable(warning)}.", markup=False)
        answers = stack.enter_context(closing(outcomes(screener, tiles, settings, page=page)))
        return write_answers(tracked(answers, len(tiles), output), len(tiles), sinks)


def exit_if_reader_hangs() -> None:
    """A thread that waits for a file which never comes (a pipe, a lost network drive) would keep
    the process after Ctrl-C."""
    deadline = time.monotonic() + READER_GRACE_SECONDS
    for thread in threading.enumerate():
        if thread.name.startswith(THREAD_PREFIX):
            thread.join(max(0.0, deadline - time.monotonic()))
            if thread.is_alive():
                sys.stdout.flush()
                os._exit(INTERRUPTED)


def write_answers(answers: Iterable[Outcome], total: int, sinks: Sequence[Sink]) -> bool:
    """Write each answer as it comes; True where none is a problem."""
    verdicts: Counter[str] = Counter()
    all_answered = True
    try:
        for outcome in answers:
            with uninterrupted():
                for sink in sinks:
                    sink.write(outcome)
                verdicts[verdict_of(outcome.answer)] += 1
            all_answered = all_answered and isinstance(outcome.answer, Prediction)
    except KeyboardInterrupt:
        notes.print(f"Stopped after {verdicts.total()} of {total} tiles: {summary(verdicts)}.")
        close(sinks, verdicts)
        raise
    close(sinks, verdicts)
    return all_answered


def close(sinks: Iterable[Sink], verdicts: Counter[str]) -> None:
    for sink in sinks:
        if isinstance(sink, Rows):
            sink.close(verdicts)


def open_sinks(output: Output, stack: ExitStack) -> Iterator[Sink]:
    if output.rows:
        yield Rows(explain=output.explain, quiet=output.quiet)
    if output.as_json:
        yield JsonLines()
    if output.csv == STANDARD_INPUT:
        yield Csv.to_standard_output()
    elif output.csv:
        yield stack.enter_context(Csv.to_file(Path(output.csv)))


def find_sources(paths: Iterable[str], limit_bytes: int) -> tuple[list[Source], LeftOut]:
    """A source for each tile, an error for each path without one, and what folders left out."""
    tiles: list[Source] = []
    left_out = LeftOut()
    for path in paths:
        if path == STANDARD_INPUT:
            tiles.append(standard_input(limit_bytes))
        elif ADDRESS.match(path) and not os.path.exists(path):  # noqa: PTH110 - as below
            tiles.append(Unread(path, AddressNotFile(path)))
        elif os.path.isdir(path):  # noqa: PTH112 - pathlib's raises where a name is too long
            found = walk(Path(path))
            left_out.update(found.left_out)
            tiles += found.files or [Unread(path, FolderWithoutImages(path))]
        else:
            tiles.append(Path(path))
    return tiles, left_out


def standard_input(limit_bytes: int) -> Source:
    """One picture, and no more of it than may be."""
    if sys.stdin is None or sys.stdin.isatty():
        reason = "standard input is a terminal, so send a picture through a pipe"
        return Unread(STANDARD_INPUT, FileNotReadable(reason))
    try:
        return Embedded(Path(STANDARD_INPUT), sys.stdin.buffer.read(limit_bytes + 1))
    except OSError as error:
        reason = error.strerror or type(error).__name__
        return Unread(STANDARD_INPUT, FileNotReadable(reason))


def tracked(answers: Iterable[Outcome], total: int, output: Output) -> Iterable[Outcome]:
    """With a bar where a person waits who does not see the answers themselves."""
    shown = output.rows and sys.stdout.isatty()
    if total == 1 or output.quiet or shown or not notes.is_terminal:
        return answers
    return track(answers, "Scoring", total=total, console=notes)


def log_to_stderr(settings: Settings) -> None:
    """Standard output is for answers; below warnings, only a level that was set is logged."""
    level_is_set = "log_level" in settings.model_fields_set
    configure(settings if level_is_set else settings.model_copy(update={"log_level": "warning"}))
