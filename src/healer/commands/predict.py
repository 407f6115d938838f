"""`healer predict`: the HTTP service's answers, for files."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table
from rich.text import Text

from healer.config import Settings
from healer.engines.base import Answer
from healer.engines.choice import choose
from healer.errors import FileNotReadable, HealerError, TooManyBytes
from healer.notice import NOTICE
from healer.screening.admission import admit
from healer.screening.opening import open_screener
from healer.screening.screener import Screener
from healer.serving.identity import new_request_id
from healer.serving.problems import status_of
from healer.serving.schemas import Prediction, Problem

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp"})
COLOURS = {Answer.YES: "bold red", Answer.NO: "green", Answer.INDETERMINATE: "yellow"}


@dataclass(frozen=True, slots=True)
class Outcome:
    path: Path
    answer: Prediction | Problem


def predict(settings: Settings, paths: Iterable[Path], *, as_json: bool) -> bool:
    """Answer for every image at or below `paths`; True where all were answered."""
    files = list(find_images(paths))
    if not files:
        raise FileNotReadable("no image was found there")
    screener = open_screener(choose(settings), settings)
    outcomes = (answer(screener, path, settings) for path in files)
    try:
        shown = print_lines(outcomes) if as_json else print_table(_tracked(outcomes, len(files)))
    finally:
        screener.engine.close()
    return all(isinstance(outcome.answer, Prediction) for outcome in shown)


def find_images(paths: Iterable[Path]) -> Iterator[Path]:
    """Named files as they are; folders walked in name order, for the formats Healer reads."""
    for path in paths:
        if path.is_dir():
            yield from sorted(f for f in path.rglob("*") if f.suffix.lower() in SUFFIXES)
        else:
            yield path


def answer(screener: Screener, path: Path, settings: Settings) -> Outcome:
    request_id = new_request_id()
    started = time.perf_counter()
    try:
        data = _read(path, settings.max_bytes)
        admitted = admit(data, settings.gate, settings.max_pixels)
        screening = screener.screen([admitted.tile])[0]
    except HealerError as error:
        return Outcome(path, Problem.of(error, status_of(type(error)), request_id))
    timings = {**admitted.timings, "total": time.perf_counter() - started}
    prediction = Prediction.finished(screener, screening, admitted.gate, request_id, timings)
    return Outcome(path, prediction)


def _read(path: Path, limit_bytes: int) -> bytes:
    try:
        if path.stat().st_size > limit_bytes:
            raise TooManyBytes(limit_bytes)
        return path.read_bytes()
    except OSError as error:
        raise FileNotReadable(error.strerror or type(error).__name__) from None


def print_lines(outcomes: Iterable[Outcome]) -> list[Outcome]:
    shown = []
    for outcome in outcomes:
        line = {"path": str(outcome.path), **outcome.answer.model_dump(mode="json")}
        sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
        sys.stdout.flush()
        shown.append(outcome)
    return shown


def print_table(outcomes: Iterable[Outcome], console: Console | None = None) -> list[Outcome]:
    shown = list(outcomes)
    table = Table("Tile", "Verdict", "Probability", "Explanation", caption=NOTICE, show_lines=True)
    for outcome in shown:
        table.add_row(Text(str(outcome.path), overflow="fold"), *_cells(outcome.answer))
    (console or Console()).print(table)
    return shown


def _cells(answer: Prediction | Problem) -> tuple[Text, Text, Text]:
    if isinstance(answer, Problem):
        return Text("refused", "dim"), Text("–"), Text(answer.detail)
    verdict = Text(answer.verdict, COLOURS[answer.verdict])
    return verdict, Text(f"{answer.probability:.1%}", justify="right"), Text(answer.explanation)


def _tracked(outcomes: Iterable[Outcome], total: int) -> Iterable[Outcome]:
    if total == 1:
        return outcomes
    console = Console(stderr=True)
    return track(outcomes, "Looking", total=total, console=console, disable=not console.is_terminal)
