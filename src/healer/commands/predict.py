"""`healer predict`: the HTTP service's answers, for files."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text

from healer.config import Settings
from healer.engines.base import Answer
from healer.engines.choice import choose
from healer.errors import FileNotReadable
from healer.files import walk_all
from healer.files.encoding import json_safe
from healer.names import printable
from healer.notice import NOTICE
from healer.outcomes import Outcome, outcomes
from healer.screening.opening import open_screener
from healer.serving.schemas import Prediction, Problem

COLOURS = {Answer.YES: "bold red", Answer.NO: "green", Answer.INDETERMINATE: "yellow"}


def predict(settings: Settings, paths: Iterable[Path], *, as_json: bool) -> bool:
    """Answer for every image at or below `paths`; True where all were answered."""
    walked = walk_all(paths)
    if walked.left_out:
        complaints().print(str(walked.left_out))
    files = walked.files
    if not files:
        raise FileNotReadable("no image was found there")
    screener = open_screener(choose(settings), settings)
    for warning in screener.warnings:
        complaints().print(f"The model: {warning}.")
    found = outcomes(screener, files, settings)
    try:
        shown = print_lines(found) if as_json else print_table(_tracked(found, len(files)))
    finally:
        screener.engine.close()
    return all(isinstance(outcome.answer, Prediction) for outcome in shown)


def print_lines(found: Iterable[Outcome]) -> list[Outcome]:
    shown = []
    for outcome in found:
        line = {"path": str(outcome.path), **outcome.answer.model_dump(mode="json")}
        sys.stdout.write(json_safe(json.dumps(line, ensure_ascii=False)) + "\n")
        sys.stdout.flush()
        shown.append(outcome)
    return shown


def print_table(found: Iterable[Outcome], console: Console | None = None) -> list[Outcome]:
    shown = list(found)
    table = Table("Tile", "Verdict", "Probability", "Explanation", caption=NOTICE, show_lines=True)
    for outcome in shown:
        table.add_row(Text(printable(str(outcome.path)), overflow="fold"), *_cells(outcome.answer))
    (console or Console()).print(table)
    return shown


def _cells(answer: Prediction | Problem) -> tuple[Text, Text, Text]:
    if isinstance(answer, Problem):
        return Text("refused", "dim"), Text("–"), Text(answer.detail)
    verdict = Text(answer.verdict, COLOURS[answer.verdict])
    return verdict, Text(f"{answer.probability:.1%}", justify="right"), Text(answer.explanation)


def complaints() -> Console:
    return Console(stderr=True, highlight=False, markup=False, soft_wrap=True)


def _tracked(found: Iterable[Outcome], total: int) -> Iterable[Outcome]:
    if total == 1:
        return found
    console = Console(stderr=True)
    return track(found, "Looking", total=total, console=console, disable=not console.is_terminal)
