"""`healer calibrate`: fits a calibration on tiles of known answer, and the reference for drift."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

from healer import NOTICE
from healer.cli.evaluate_run import (
    AnsweredDataset,
    EvaluationRequest,
    answer_dataset,
    describe_engine,
    find_dataset,
    progress_bars,
)
from healer.engines.base import EngineInfo
from healer.engines.registry import ENGINES
from healer.errors.base import RequestError
from healer.errors.evaluation import NotCalibratable
from healer.errors.weights import FolderNotWritable
from healer.evaluation import calibrate as fitting
from healer.evaluation.datasets import Dataset, Limits
from healer.evaluation.predictions import Row
from healer.evaluation.results import notes_on
from healer.evaluation.shifts import NONE, TITLES
from healer.files.disk import save_record
from healer.quality.gate import Gate
from healer.screening import calibration
from healer.screening.calibration import (
    GATE_FIGURES,
    LEAST_TILES,
    Binding,
    Calibration,
    Reference,
    reference_beside,
)
from healer.screening.calibration import Fitted as FittedOn
from healer.screening.opening import place_of
from healer.screening.screener import Screener
from healer.screening.verdict import LEAST_MASS
from healer.settings.loading import Settings

METHODS = {
    "as it comes": "margin as it comes",
    "temperature": "temperature alone",
    "batch": "batch calibration",
    "platt": "Platt's scaling (written)",
}


def calibrate(
    settings: Settings,
    request: EvaluationRequest,
    file: Path | None,
    screener: Screener | None = None,
) -> Path:
    """Answers, fits, prints and writes the calibration; returns its path.

    Beside it goes the reference of its tiles that a service measures drift against.
    """
    with progress_bars(Console(stderr=True, highlight=False, markup=False)) as progress:
        dataset = find_dataset(request, progress)
        answered = answer_dataset(settings, request, dataset, progress, screener)
        if answered.info is None:
            raise NotCalibratable(
                "nothing says which engine these answers are: pass --engine or --info"
            )
        fitted, tiles = _fitted(answered)
        limits = Limits(settings.max_bytes, settings.max_pixels)
        reference = reference_of(
            dataset, answered.info, tiles.paths, tiles.margins, limits, progress
        )
    written = _calibration(dataset, answered.info, fitted, tiles)
    place = file or default_place(settings, answered.info)
    write_record(written, place)
    save_reference(reference, reference_beside(place))
    show_reference(reference, reference_beside(place))
    _show(dataset, answered, request.answers, fitted, tiles, written, place)
    return place


def default_place(settings: Settings, info: EngineInfo) -> Path:
    if info.engine in ENGINES and ENGINES[info.engine].from_model_dir:
        return place_of(settings, info.engine)
    return Path(calibration.CALIBRATION_FILE)


class Tiles:
    """The answered tiles a calibration is fitted on: those the engine answered yes or no."""

    def __init__(self, answered: AnsweredDataset) -> None:
        rows = [row for row in answered.rows if row.margin is not None and row.shift == NONE]
        usable = [row for row in rows if row.mass >= LEAST_MASS]
        self.paths = [row.path for row in usable]
        self.margins = np.array([row.margin for row in usable], float)
        self.shifted = _shifted_margins(answered.rows, self.paths)
        self.truth = np.array([row.positive for row in usable], bool)
        self.cases = np.array([row.case_id for row in usable], np.str_)
        self.withheld = len(rows) - len(usable)


def _shifted_margins(rows: Sequence[Row], paths: Sequence[str]) -> dict[str, NDArray[np.float64]]:
    """Margins of the same tiles under each shift that answers them all."""
    by_shift: dict[str, dict[str, float]] = defaultdict(dict)
    for row in rows:
        if row.margin is not None and row.shift != NONE:
            by_shift[row.shift][row.path] = row.margin
    return {
        shift: np.array([margins[path] for path in paths])
        for shift, margins in by_shift.items()
        if margins.keys() >= set(paths)
    }


def _fitted(answered: AnsweredDataset) -> tuple[fitting.Fitted, Tiles]:
    tiles = Tiles(answered)
    return fitting.fit_calibration(
        tiles.margins, tiles.truth, tiles.cases, list(tiles.shifted.values())
    ), tiles


def _calibration(
    dataset: Dataset, info: EngineInfo, fitted: fitting.Fitted, tiles: Tiles
) -> Calibration:
    quality = {
        f"{method.replace(' ', '_')}_{name}": value
        for method, values in fitted.quality.items()
        for name, value in values.items()
    }
    figures = fitted.verdicts | quality
    return Calibration(
        binding=Binding.of(info),
        slope=fitted.fit.slope,
        intercept=fitted.fit.intercept,
        lower=fitted.points.lower,
        upper=fitted.points.upper,
        fitted_on=FittedOn(
            dataset=dataset.name,
            tiles=len(tiles.truth),
            positives=int(tiles.truth.sum()),
            cases=len(set(tiles.cases.tolist())),
        ),
        figures={name: round(value, 6) for name, value in figures.items()},
    )


def _show(
    dataset: Dataset,
    answered: AnsweredDataset,
    answers: Path | None,
    fitted: fitting.Fitted,
    tiles: Tiles,
    written: Calibration,
    place: Path,
) -> None:
    console = Console(highlight=False, markup=False, soft_wrap=True)
    on = written.fitted_on
    console.print(
        f"{on.dataset}: {on.tiles:,} tiles, {on.positives:,} of them cancer, {on.cases:,} cases"
    )
    if tiles.withheld:
        console.print(f"{tiles.withheld:,} tiles left out: hardly a yes or no from the model")
    notes = notes_on(dataset, answered.rows, describe_engine(answered.info, answers))
    for note in [*notes, *answered.notes]:
        console.print(note, style="yellow")
    console.print(_table(fitted))
    console.print(
        f"probability = sigmoid({written.slope:.4f} · margin {written.intercept:+.4f}); "
        f"no up to {written.lower:.3f}, yes from {written.upper:.3f}"
    )
    if tiles.shifted:
        shifts = ", ".join(TITLES[shift] for shift in tiles.shifted)
        console.print(f"Both cuts hold their 95 % under each of these shifts too: {shifts}")
    console.print(_verdicts(fitted.verdicts))
    console.print(f"{place}: calibration {written.id}")
    console.print(NOTICE)


def _table(fitted: fitting.Fitted) -> Table:
    table = Table("", "Brier", "ECE", "log loss", title="On cases left out of the fit")
    for method, title in METHODS.items():
        table.add_row(title, *(f"{value:.4f}" for value in fitted.quality[method].values()))
    return table


def _verdicts(figures: dict[str, float]) -> str:
    right = figures.get("balanced_accuracy")
    words = f"; balanced accuracy among answers given {right:.3f}" if right is not None else ""
    return (
        f"On cases left out: {figures['yes_called_no']:.1%} of cancer called no, "
        f"{figures['no_called_yes']:.1%} of the rest called yes, "
        f"{figures['indeterminate']:.1%} indeterminate{words}"
    )


def reference_of(
    dataset: Dataset,
    info: EngineInfo,
    paths: Sequence[str],
    margins: NDArray[np.float64],
    limits: Limits,
    progress: Progress,
) -> Reference | None:
    """None where there are too few tiles; without the gate's figures where they cannot be read."""
    gate = Gate()
    figures: dict[str, list[float]] = {name: [] for name in GATE_FIGURES}
    for path in progress.track(paths, description="Measuring tiles"):
        with suppress(RequestError):
            measured = gate.assess(dataset.source.tile(path, limits)).figures
            for name in figures.keys() & measured.keys():
                figures[name].append(measured[name])
    return Reference.of(info, dataset.name, margins.tolist(), figures)


def save_reference(reference: Reference | None, place: Path) -> None:
    """One of earlier tiles must not outlive their calibration."""
    if reference is None:
        place.unlink(missing_ok=True)
    else:
        write_record(reference, place)


def show_reference(reference: Reference | None, place: Path) -> None:
    written = (
        f"{', '.join(reference.figures)} of {reference.tiles:,} tiles, to measure drift against"
        if reference
        else f"not written, because drift needs {LEAST_TILES} tiles to be measured against"
    )
    Console(highlight=False, markup=False, soft_wrap=True).print(f"{place}: {written}")


def write_record(record: BaseModel, place: Path) -> None:
    """Whole or not at all: a server may be reading it. Raises FolderNotWritable."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        save_record(place, record, indent=1)
    except OSError as error:
        raise FolderNotWritable(str(place.parent), error.strerror or "unknown") from None
