"""`healer eval`: how good the answers to a dataset are, and whether two runs agree."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import Progress, TaskID

from healer.cli.evaluate_output import show, show_comparison
from healer.display import examples
from healer.engines.base import EngineInfo
from healer.errors.evaluation import ResultsMismatch
from healer.evaluation import plots, report
from healer.evaluation.assess import Baseline, assess, colour_baseline
from healer.evaluation.compare import ANSWERS, compare
from healer.evaluation.datasets import Dataset, Limits
from healer.evaluation.fetch import FOLDER, locate
from healer.evaluation.predictions import (
    BINDING,
    Journal,
    Row,
    binding_of,
    predict,
    read_predictions,
    write_predictions,
)
from healer.evaluation.published import LabelMapping
from healer.evaluation.results import NAME as RESULTS
from healer.evaluation.results import curves, shifts_in
from healer.evaluation.shifts import NONE, SHIFTS
from healer.screening.calibration import Calibration
from healer.screening.opening import choose_engine, find_calibration, open_screener
from healer.screening.screener import Screener
from healer.settings.loading import Settings

RUNS = Path("runs/eval")


@dataclass(frozen=True, slots=True)
class EvaluationRequest:
    """What to evaluate, and how."""

    dataset: str
    yes: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    download: bool = False
    data: Path = FOLDER
    limit: int | None = None
    answers: Path | None = None
    info: Path | None = None
    out: Path | None = None
    shifts: bool = True
    baseline: bool = True
    resamples: int = 1000


@dataclass(frozen=True)
class AnsweredDataset:
    """A dataset's answers, and the engine and calibration they stand for."""

    rows: list[Row]
    info: EngineInfo | None
    calibration: Calibration | None
    folder: Path
    unmatched: tuple[str, ...] = ()

    @property
    def notes(self) -> list[str]:
        """What a reader must know of a file of answers."""
        if not self.unmatched:
            return []
        return [
            f"Paths in the file of answers that are of no tile evaluated here: "
            f"{len(self.unmatched):,} ({examples(self.unmatched)})."
        ]


def evaluate(
    settings: Settings, request: EvaluationRequest, screener: Screener | None = None
) -> Path:
    """Answers, measures, prints and writes; returns the folder. `screener` overrides settings."""
    errors = Console(stderr=True, highlight=False, markup=False)
    with progress_bars(errors) as progress:
        dataset = find_dataset(request, progress)
        answered = answer_dataset(settings, request, dataset, progress, screener)
        limits = Limits(settings.max_bytes, settings.max_pixels)
        baseline = _baseline(request, dataset, answered.rows, limits, progress)
        work = progress.add_task("Measuring", total=2 * len(shifts_in(answered.rows)))
        results = assess(
            dataset,
            answered.rows,
            describe_engine(answered.info, request.answers),
            answered.calibration,
            baseline,
            request.resamples,
            lambda count: progress.advance(work, count),
        )
    results.notes += answered.notes
    folder = answered.folder
    write_predictions(answered.rows, folder / ANSWERS, answered.calibration)
    colour = baseline.scored.get(NONE)
    drawn = plots.draw(results, curves(colour, 0.5).get("roc") if colour else None, folder)
    page = report.write(results, drawn, folder)
    results.write(folder)  # last
    show(results, page)
    return folder


def compare_runs(first: Path, second: Path, most: float, resamples: int) -> bool:
    """Print how B differs from A; False where more than `most` is lost."""
    comparison = compare(first, second, resamples)
    show_comparison(comparison, first, second, most)
    return not comparison.lost(most)


@contextmanager
def progress_bars(console: Console) -> Iterator[Progress]:
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        yield progress


def find_dataset(request: EvaluationRequest, progress: Progress) -> Dataset:
    task: TaskID | None = None

    def advance(done: int, total: int | None) -> None:
        nonlocal task
        task = progress.add_task("Downloading", total=total) if task is None else task
        progress.update(task, completed=done, total=total)

    dataset = locate(
        request.dataset,
        LabelMapping.of(request.yes, request.ignore),
        progress.console.print,
        advance,
        download=request.download,
        folder=request.data,
    )
    return dataset.limited(request.limit)


def answer_dataset(
    settings: Settings,
    request: EvaluationRequest,
    dataset: Dataset,
    progress: Progress,
    screener: Screener | None = None,
) -> AnsweredDataset:
    """From a file of answers, or from the engine; resumes an unfinished run."""
    if request.answers is not None:
        return _answers_from_file(settings, request, request.answers, dataset, screener)
    dataset.require(all_tiles=False)
    screener = screener or open_screener(choose_engine(settings), settings)
    try:
        shifts = list(SHIFTS) if request.shifts else [NONE]
        binding = binding_of(dataset, screener.info, shifts)
        folder = request.out or unfinished(binding) or _new_folder(dataset, screener.info.engine)
        journal = Journal(folder, binding)
        total = len(dataset.items) * len(shifts)
        task = progress.add_task(f"Asking {screener.info.engine}", total=total)
        limits = Limits(settings.max_bytes, settings.max_pixels)
        rows = predict(
            screener, dataset, shifts, journal, limits, lambda count: progress.advance(task, count)
        )
    finally:
        screener.engine.close()
    return AnsweredDataset(rows, screener.info, screener.calibration, folder)


def _answers_from_file(
    settings: Settings,
    request: EvaluationRequest,
    file: Path,
    dataset: Dataset,
    screener: Screener | None,
) -> AnsweredDataset:
    given = read_predictions(file, dataset)
    rows = [row for row in given.rows if request.shifts or row.shift == NONE]
    info = _engine_info(settings, request, screener)
    calibration = find_calibration(settings, info)[0] if info else None
    folder = request.out or _new_folder(dataset, info.engine if info else "answers")
    folder.mkdir(parents=True, exist_ok=True)
    return AnsweredDataset(rows, info, calibration, folder, given.unmatched)


def _engine_info(
    settings: Settings, request: EvaluationRequest, screener: Screener | None
) -> EngineInfo | None:
    """The engine that answers in a file stand for; None where nothing says which."""
    if request.info is not None:
        return read_info(request.info)
    named = settings.engine != "auto" or settings.calibration not in ("auto", "off")
    if screener is None and not named:
        return None
    screener = screener or open_screener(choose_engine(settings), settings)
    screener.engine.close()
    return screener.info


def read_info(file: Path) -> EngineInfo:
    """An engine's description: JSON of its own, or the `results.json` of an evaluation."""
    names = {field.name for field in fields(EngineInfo)} - {"warnings"}
    try:
        held = json.loads(file.read_text(encoding="utf-8"))
        held = held.get("engine", held) if isinstance(held.get("engine"), dict) else held
        return EngineInfo(**{name: value for name, value in held.items() if name in names})
    except (OSError, ValueError, AttributeError, TypeError) as error:
        raise ResultsMismatch(file.name, f"it describes no engine ({error})") from None


def unfinished(binding: dict[str, Any], runs: Path = RUNS) -> Path | None:
    """The newest run of the same dataset and engine that was stopped before its results."""
    for held in sorted(runs.glob(f"*/{BINDING}"), reverse=True):
        same = json.loads(held.read_text(encoding="utf-8")) == binding
        if same and not (held.parent / RESULTS).exists():
            return held.parent
    return None


def _new_folder(dataset: Dataset, engine: str) -> Path:
    moment = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
    return RUNS / f"{dataset.name}-{engine}-{moment}"


def describe_engine(info: EngineInfo | None, answers: Path | None) -> dict[str, Any]:
    about: dict[str, Any] = {"name": info.engine if info else "answers from a file"}
    if info:
        about |= {name: value for name, value in asdict(info).items() if value not in (None, ())}
    if answers:
        about |= {"name": f"{about['name']}, precomputed" if info else about["name"]}
        about |= {"answers_file": answers.name}
    return about


def _baseline(
    request: EvaluationRequest,
    dataset: Dataset,
    rows: Sequence[Row],
    limits: Limits,
    progress: Progress,
) -> Baseline:
    if not request.baseline:
        return Baseline({}, "it was not asked for")
    task = progress.add_task("Colours alone", total=len(rows))
    return colour_baseline(dataset, rows, limits, lambda count: progress.advance(task, count))
