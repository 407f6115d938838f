"""`healer predict --input --output`: answers for an archive, into one Parquet file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from healer import NOTICE
from healer.batch.run import BatchRun, OnProgress, Report, run
from healer.display import printable

LINE_EVERY = 0.05  # of all tiles, where there is no terminal to draw on


class Rate(ProgressColumn):
    """Over the whole run: answers come in blocks, so that a momentary rate says little."""

    def render(self, task: Task) -> Text:
        answered = task.completed - task.fields.get("kept", 0)
        return Text(f"{answered / task.elapsed:.1f} tiles/s" if task.elapsed else "", "dim")


def predict_archive(job: BatchRun, *, quiet: bool = False) -> bool:
    """Answer for every tile of the archive; True where all have an answer."""
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


@contextmanager
def progress(console: Console, *, quiet: bool = False) -> Iterator[OnProgress]:
    if quiet:
        yield lambda _done, _total: None
    elif console.is_terminal:
        with _bar(console) as bar:
            yield ProgressBar(bar).update
    else:
        yield ProgressLines(console).update


def _bar(console: Console) -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    return Progress(
        *(*columns, Rate(), TimeRemainingColumn()),
        console=console,
        redirect_stdout=False,  # it is Ray's, and not to be shown
        redirect_stderr=False,
    )


class ProgressBar:
    """The first update counts what an earlier run had answered."""

    def __init__(self, bar: Progress) -> None:
        self._bar, self._started = bar, False
        self._task = bar.add_task("Starting", total=None)

    def update(self, done: int, total: int) -> None:
        if not self._started:
            self._bar.reset(self._task, total=total, kept=done)
            self._started = True
        self._bar.update(self._task, description="Looking", completed=done)


class ProgressLines:
    """Progress for a file or a pipe: a line now and then."""

    def __init__(self, console: Console) -> None:
        self._console, self._shown = console, -1.0

    def update(self, done: int, total: int) -> None:
        if done == total or done / total >= self._shown + LINE_EVERY:
            self._shown = done / total
            self._console.print(f"{done:,} of {total:,} tiles")


def summary(job: BatchRun, report: Report) -> Iterator[str]:
    yield f"{report.tiles:,} tiles in {job.output}: {_counted(report.counts.verdicts)}."
    if report.counts.errors:
        refused = report.counts.errors.total()
        yield f"{refused:,} without an answer: {_counted(report.counts.errors)}."
    yield from report.notes
    if report.kept:
        yield f"{report.kept:,} were answered before and kept."
    if report.scored:
        yield (
            f"{report.scored:,} looked at in {report.seconds:,.1f} s by {_workers(report)}: "
            f"{report.rate:.1f} tiles/s."
        )
    yield NOTICE


def _counted(counts: Counter[str]) -> str:
    return ", ".join(f"{count:,} {name}" for name, count in counts.most_common()) or "no answer"


def _workers(report: Report) -> str:
    workers = f"{report.workers} worker{'s' * (report.workers != 1)}"
    return f"{workers} ({len(report.replaced)} replaced)" if report.replaced else workers
