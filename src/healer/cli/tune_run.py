"""`healer tune`: LoRA on tiles of known answer, measured before and after, and calibrated."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from sklearn.metrics import accuracy_score

from healer import NOTICE
from healer.cli.calibrate_run import calibrate
from healer.cli.evaluate_run import (
    EvaluationRequest,
    answer_dataset,
    cell,
    find_dataset,
    progress_bars,
)
from healer.engines.registry import ENGINES
from healer.engines.transformers.loading import Plan, pick_device
from healer.errors.evaluation import NotCalibratable
from healer.evaluation.datasets import Limits
from healer.evaluation.metrics import TITLES, Figure, as_json, measure
from healer.evaluation.results import scored_of
from healer.questions.colorectal import COLORECTAL_CANCER
from healer.screening.calibration import CALIBRATION_FILE as CALIBRATION
from healer.screening.screener import Screener
from healer.settings.loading import Settings
from healer.tuning import data
from healer.tuning.data import Recipe
from healer.tuning.lora import merge_adapter as merge_into
from healer.tuning.run import ADAPTER, Job, Run, claim
from healer.tuning.train import Step
from healer.weights.manifest import check_folder

REPORT = "tuning.json"
RUNS = Path("runs/tune")
GIB = 1024**3
LOGGED = 10  # steps between lines where there is no terminal
OWN_TITLES = {"accuracy": "accuracy, cut at a margin of 0", "mass": "probability of yes or no"}


@dataclass(frozen=True, slots=True)
class TuningRequest:
    """What to tune on and how. A dry run takes `dry_run` steps and keeps nothing."""

    request: EvaluationRequest
    recipe: Recipe
    out: Path | None = None
    resume: bool = False
    every: int = 50
    dry_run: int | None = None


def tune(settings: Settings, tuning: TuningRequest) -> Path:
    """Measures, trains, saves, measures again, calibrates, prints; returns the folder."""
    errors = Console(stderr=True, highlight=False)
    with progress_bars(errors) as progress:
        dataset = find_dataset(tuning.request, progress)
    dataset.require(all_tiles=True)  # learning would stop at the first that is missing
    parts = data.split(dataset, tuning.recipe)
    job = _job(settings, tuning, parts)
    claim(job, resume=tuning.resume)
    _print_parts(errors, parts)
    if tuning.dry_run:
        _dry_run(job, tuning.dry_run)
    else:
        _tune(settings, job, _validation(tuning.request, parts, job.folder), errors)
    return job.folder


def _tune(settings: Settings, job: Job, request: EvaluationRequest, console: Console) -> None:
    folder, adapter = job.folder, job.folder / ADAPTER
    before = ValidationRun(settings, replace(request, out=folder / "before"), None).figures()
    trained = _train(job, console)
    after = ValidationRun(settings, replace(request, out=folder / "after"), adapter)
    figures = {"before": before, "after": after.figures()}
    written = json.dumps(report(job, trained, figures), indent=1, ensure_ascii=False)
    (folder / REPORT).write_text(written + "\n", encoding="utf-8")
    show(figures)
    after.calibrate(adapter / CALIBRATION)
    Console(highlight=False, soft_wrap=True).print(f"Serve it with MODEL_ADAPTER={adapter}")


def merge(settings: Settings, adapter: Path, out: Path) -> None:
    made = merge_into(settings.model_dir, adapter, out, COLORECTAL_CANCER)
    console = Console(highlight=False, soft_wrap=True)
    console.print(f"{out}: {made.model_id} with adapter {made.adapter}, {made.size / GIB:.2f} GiB")
    console.print(f"Serve it with MODEL_DIR={out}; calibrate it first.")


def _job(settings: Settings, tuning: TuningRequest, parts: data.Split) -> Job:
    base = check_folder(settings.model_dir)
    device = pick_device(settings.device)
    plan = Plan(
        settings.model_dir,
        COLORECTAL_CANCER,
        base.model_id,
        device,
        settings.dtype,
        tuning.recipe.quantization_on(device),
    )
    limits = Limits(settings.max_bytes, settings.max_pixels)
    folder = tuning.out or RUNS / parts.train.name
    return Job(base, plan, tuning.recipe, parts.train, limits, folder, tuning.every)


def _print_parts(console: Console, parts: data.Split) -> None:
    for name, part in (("Training", parts.train), ("Validation", parts.validation)):
        yes = sum(item.positive for item in part.items)
        cases = len({item.case_id for item in part.items})
        console.print(f"{name}: {len(part.items):,} tiles, {yes:,} of them cancer, {cases:,} cases")
    if left_out := parts.train.files_left_out:
        console.print(str(left_out), style="yellow", markup=False)
    if not parts.train.has_cases:
        console.print(
            "No case of some tiles is given, so tiles of one patient may be on both sides: expect "
            "figures that are too good.",
            style="yellow",
        )


def _validation(request: EvaluationRequest, parts: data.Split, folder: Path) -> EvaluationRequest:
    """Writes both parts as indexes, and requests the validation's."""
    data.write(parts.train, folder / f"{parts.train.name}-train.csv")
    index = folder / f"{parts.validation.name}-validation.csv"
    data.write(parts.validation, index)
    yes = {item.label for item in parts.validation.items if item.positive}
    return EvaluationRequest(str(index), tuple(yes), shifts=False, resamples=request.resamples)


def _dry_run(job: Job, count: int) -> None:
    run = Run(job)
    steps = [run.trainer.step() for _ in range(min(count, run.trainer.total))]
    timed = steps[1:] or steps  # the first one warms up
    seconds = fmean(step.seconds for step in timed)
    rate = sum(step.tokens for step in timed) / sum(step.seconds for step in timed)
    console = Console(highlight=False, soft_wrap=True)
    console.print(
        f"{seconds:.3f} s a step of {job.recipe.tiles_a_step} tiles, {rate:,.0f} tokens/s, "
        f"{run.memory_bytes() / GIB:.2f} GiB on {job.plan.device}; "
        f"{run.trainer.total:,} steps would take {run.trainer.total * seconds / 60:.1f} minutes"
    )
    run.close()


def _train(job: Job, console: Console) -> dict[str, Any]:
    run = Run(job)
    memory = run.memory_bytes()
    with _training_bar(console, run) as show:
        for step in run.steps():
            memory = max(memory, run.memory_bytes())
            show(step)
    made = run.save()
    run.close()
    return {"adapter": made.id, "most_memory_bytes": memory, "device": job.plan.device}


@contextmanager
def _training_bar(console: Console, run: Run) -> Iterator[Any]:
    columns = (
        TextColumn("Training"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.3f}, {task.fields[rate]:,.0f} tokens/s"),
        TimeRemainingColumn(),
    )
    terminal = console.is_terminal
    with Progress(*columns, console=console, transient=True, disable=not terminal) as progress:
        total, done = run.trainer.total, run.trainer.done
        task = progress.add_task("", total=total, completed=done, loss=float("nan"), rate=0)

        def show(step: Step) -> None:
            rate = step.tokens / step.seconds
            progress.update(task, completed=step.step, loss=step.loss, rate=rate)
            if not terminal and (step.step % LOGGED == 0 or step.step == total):
                line = f"step {step.step}/{total}: loss {step.loss:.3f}, {rate:,.0f} tokens/s"
                console.print(line)

        yield show


class ValidationRun:
    """The validation tiles, answered by MedGemma as served with `adapter`; a stopped run resumes.

    Raises what opening the engine raises.
    """

    def __init__(
        self, settings: Settings, request: EvaluationRequest, adapter: Path | None
    ) -> None:
        self._settings = settings.model_copy(
            update={"calibration": "off", "model_adapter": adapter}
        )
        self._request = request
        self._screener = Screener(ENGINES["medgemma"].open(self._settings, COLORECTAL_CANCER))
        with progress_bars(Console(stderr=True)) as progress:
            tiles = find_dataset(request, progress)
            answered = answer_dataset(self._settings, request, tiles, progress, self._screener)
        self.rows = answered.rows

    def figures(self) -> dict[str, Figure]:
        """Uncalibrated, so that before and after follow the same rule."""
        scored = scored_of(self.rows, None)
        right = float(accuracy_score(scored.truth, scored.margins > 0))
        mass = fmean(row.mass for row in self.rows if row.margin is not None)
        own = {"accuracy": Figure(right), "mass": Figure(mass)}
        return measure(scored, self._request.resamples) | own

    def calibrate(self, file: Path) -> None:
        """Fits and writes; says why where the tiles do not allow it."""
        try:
            calibrate(self._settings, self._request, file, self._screener)
        except NotCalibratable as why:
            Console(stderr=True, highlight=False).print(str(why), style="yellow", markup=False)


def report(
    job: Job, trained: dict[str, Any], figures: dict[str, dict[str, Figure]]
) -> dict[str, Any]:
    return {
        "format": 1,
        "notice": NOTICE,
        "run": job.binding,
        "tiles": len(job.data.items),
        "files_left_out": job.data.files_left_out.as_json(),
        "trained": trained,
        "figures": {name: as_json(each) for name, each in figures.items()},
    }


def show(figures: dict[str, dict[str, Figure]]) -> None:
    table = Table("", "Before", "After", title="Validation tiles, uncalibrated, 95 % intervals")
    for name, title in {**OWN_TITLES, **TITLES}.items():
        table.add_row(title, *(cell(name, figures[when][name]) for when in ("before", "after")))
    Console(highlight=False).print(table)
