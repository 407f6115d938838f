"""Progress of long runs on standard error: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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

OnProgress = Callable[[int, int], None]
LINE_EVERY = 0.05  # of all tiles, where there is no terminal to draw on


class Rate(ProgressColumn):
    """Over the whole run: answers come in blocks, so that a momentary rate says little."""

    def render(self, task: Task) -> Text:
        answered = task.completed - task.fields.get("kept", 0)
        return Text(f"{answered / task.elapsed:.1f} tiles/s" if task.elapsed else "", "dim")


@contextmanager
def progress(
    console: Console, *, quiet: bool = False, doing: str = "Scoring"
) -> Iterator[OnProgress]:
    """Takes tiles done and in all, the first time with those of an earlier run."""
    if quiet:
        yield lambda _done, _total: None
    elif console.is_terminal:
        with _bar(console) as bar:
            yield ProgressBar(bar, doing).update
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

    def __init__(self, bar: Progress, doing: str) -> None:
        self._bar, self._doing, self._started = bar, doing, False
        self._task = bar.add_task("Starting", total=None)

    def update(self, done: int, total: int) -> None:
        if not self._started:
            self._bar.reset(self._task, total=total, kept=done)
            self._started = True
        self._bar.update(self._task, description=self._doing, completed=done, total=total)


class ProgressLines:
    """Progress for a file or a pipe: a line now and then."""

    def __init__(self, console: Console, what: str = "tiles") -> None:
        self._console, self._what, self._shown = console, what, -1.0

    def update(self, done: int, total: int) -> None:
        if done == total or done / total >= self._shown + LINE_EVERY:
            self._shown = done / total
            self._console.print(f"{done:,} of {total:,} {self._what}")
