"""`healer eval`: how good the answers to a dataset are, whether two runs agree, and its tables."""

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
from rich.table import Table
from rich.text import Text

from healer import NOTICE
from healer.display import examples
from healer.engines.base import EngineInfo
from healer.errors.evaluation import ResultsMismatch
from healer.evaluation import plots, report
from healer.evaluation.assess import Baseline, assess, colour_baseline
from healer.evaluation.compare import ANSWERS, Comparison, compare
from healer.evaluation.datasets import Dataset, Limits
from healer.evaluation.fetch import FOLDER, locate
from healer.evaluation.metrics import TITLES, Figure
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
from healer.evaluation.report import shown, span, subtitle
from healer.evaluation.results import LOUD, Results, curves, shifts_in
from healer.evaluation.results import NAME as RESULTS
from healer.evaluation.shifts import NONE, SHIFTS
from healer.evaluation.shifts import TITLES as SHIFT_TITLES
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
        task = progress.add_task(f"Scoring with {screener.info.engine}", total=total)
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
        return Baseline({}, "it was not requested")
    task = progress.add_task("Colours alone", total=len(rows))
    return colour_baseline(dataset, rows, limits, lambda count: progress.advance(task, count))


def show(results: Results, page: Path) -> None:
    console = Console(highlight=False, markup=False)
    console.print(Text(subtitle(results), "bold"))
    for note in results.notes:
        style = "bold red" if note.startswith(LOUD) else "yellow"
        console.print(Text(note, style))
    console.print(figures(results))
    if len(results.figures) > 1:
        console.print(shifts(results))
    console.print(classes(results))
    if results.seconds_per_tile:
        console.print(f"{results.seconds_per_tile['median']:.4f} seconds a tile (median)")
    console.print(Text(f"{page.parent}: {page.name}, results.json, answers.csv and plots"))
    console.print(NOTICE)


def cell(name: str, figure: Figure | None) -> Text:
    if figure is None:
        return Text("")
    if figure.value is None:
        return Text.assemble("— ", (f"({figure.reason})", "dim"))
    interval = span(name, figure)
    return Text.assemble(shown(name, figure), (f"  {interval}" if interval else "", "dim"))


def figures(results: Results) -> Table:
    table = Table("", "Engine", "Colour baseline", title="Figures, with 95 % intervals by case")
    for name, title in TITLES.items():
        colour = results.baseline.get(NONE, {}).get(name)
        table.add_row(title, cell(name, results.figures[NONE][name]), cell(name, colour))
    return table


def shifts(results: Results) -> Table:
    heads = ("", "AUROC", "Balanced accuracy", "Indeterminate", "ECE", "Baseline's AUROC")
    table = Table(*heads, title="Under shift")
    for shift, values in results.figures.items():
        table.add_row(
            SHIFT_TITLES[shift],
            cell("auroc", values["auroc"]),
            Text(shown("balanced_accuracy", values["balanced_accuracy"])),
            Text(shown("indeterminate", values["indeterminate"])),
            Text(shown("ece", values["ece"])),
            Text(shown("auroc", results.baseline.get(shift, {}).get("auroc", Figure(None)))),
        )
    return table


def classes(results: Results) -> Table:
    kinds = list(next(iter(results.confusion.values()), {}))
    heads = ["Class", "Truth", *(kind.capitalize() for kind in kinds), "AUROC of cancer against it"]
    table = Table(*heads, title="By original class")
    for label, counts in results.confusion.items():
        means = results.dataset["classes"][label]["means"]
        area = cell("auroc", results.against_each_class.get(label))
        table.add_row(Text(label), means, *(str(counts[kind] or "·") for kind in kinds), area)
    return table


def show_comparison(comparison: Comparison, first: Path, second: Path, most: float) -> None:
    console = Console(highlight=False, markup=False)
    table = Table("", "B against A", title=f"A: {first}\nB: {second}")
    table.add_row("tiles", f"{comparison.tiles:,}")
    table.add_row("verdicts that agree", f"{comparison.agreement:.2%}")
    for change, count in comparison.changed.items():
        table.add_row(f"  {change}", f"{count:,}")
    for name, value in comparison.margins.items():
        table.add_row(f"margin difference, {name}", f"{value:.4g}")
    table.add_row("right only in B / only in A", f"{comparison.better:,} / {comparison.worse:,}")
    table.add_row("McNemar's exact test, p", f"{comparison.p_value:.3g}")
    table.add_row("AUROC lost", _loss(comparison.loss))
    console.print(table)
    outcome = "past it" if comparison.lost(most) else "within it"
    console.print(
        f"Allowed loss in AUROC, and share of verdicts that may change: {most:g}; {outcome}."
    )


def _loss(loss: Figure) -> str:
    if loss.value is None:
        return f"— ({loss.reason})"
    interval = f"  {loss.low:+.4f} to {loss.high:+.4f}" if loss.low is not None else ""
    return f"{loss.value:+.4f}{interval}"
