"""One run in one folder: loaded, resumed, trained, logged, and saved as an adapter."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import torch

from healer.engines.transformers.loading import Plan
from healer.engines.vlm.adapter import AdapterManifest
from healer.errors.evaluation import FolderTaken
from healer.evaluation.datasets import Dataset, Limits
from healer.tuning import lora
from healer.tuning.data import Lessons, Recipe
from healer.tuning.lora import check_disk
from healer.tuning.train import Checkpoint, Step, Trainer
from healer.weights.manifest import Manifest, is_empty

ADAPTER = "adapter"
# The adapter, a checkpoint with its two moments, and the checkpoint that replaces it.
ADAPTERS_WORTH = 1 + 3 + 3


@dataclass(frozen=True)
class Job:
    """What to train, on what, by which recipe, and where; `every` steps it is saved."""

    base: Manifest
    plan: Plan
    recipe: Recipe
    data: Dataset
    limits: Limits
    folder: Path
    every: int

    @property
    def binding(self) -> dict[str, Any]:
        """Everything the weights depend on; a checkpoint is bound to it."""
        return {
            **self.recipe.model_dump(),
            "model": f"{self.base.model_id}@{self.base.revision}",
            "merged adapter": self.base.adapter,
            "question": self.plan.question.id,
            "dtype": self.plan.dtype,
            "quantization": self.plan.quantization,
            "dataset": self.data.fingerprint,
        }


def claim(job: Job, *, resume: bool) -> None:
    """Takes the folder; raises FolderTaken or TuningDiskFull. Reads no weights."""
    job.folder.mkdir(parents=True, exist_ok=True)
    if not is_empty(job.folder) and not resume:
        raise FolderTaken(str(job.folder), "holds something already; --resume goes on with a run")
    needed = ADAPTERS_WORTH * lora.adapter_bytes(job.plan.folder, job.recipe, job.base.model_id)
    check_disk(job.folder, needed)


class Run:
    """Loads the model and goes to where the checkpoint in the folder was made, if there is one.

    Raises CheckpointUnusable or ModelUnsound.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._gemma = lora.load_model(job.plan)
        torch.manual_seed(job.recipe.seed)
        self._wrapped = lora.attach_lora(self._gemma.model, job.recipe, job.base.model_id)
        lessons = Lessons(self._gemma, job.data, job.limits, job.base.model_id)
        self.trainer = Trainer(self._gemma, self._wrapped, lessons, job.recipe)
        self._checkpoint = Checkpoint(job.folder, job.binding)
        self.trainer.resume(self._checkpoint)

    def steps(self) -> Iterator[Step]:
        log = LossLog(self._job.folder, self.trainer.done)
        for step in self.trainer.run(self._checkpoint, self._job.every):
            log.add(step)
            yield step
        draw_losses(self._job.folder)

    def save(self) -> AdapterManifest:
        job = self._job
        about = {
            "model_id": job.base.model_id,
            "revision": job.base.revision,
            "merged": job.base.adapter,
            "dataset": job.data.name,
            "tiles": len(job.data.items),
            "cases": len({item.case_id for item in job.data.items}),
            "recipe": job.recipe.model_dump() | {"quantization": job.plan.quantization},
        }
        return lora.save_adapter(self._wrapped, job.folder / ADAPTER, about)

    def memory_bytes(self) -> int:
        """The most that was held on CUDA, or what this process holds now."""
        if self._gemma.model.device.type == "cuda":
            return torch.cuda.max_memory_allocated()
        return int(psutil.Process().memory_info().rss)

    def close(self) -> None:
        """Lets the model go, so that the next one finds its memory free."""
        del self._gemma, self._wrapped, self.trainer
        torch.cuda.empty_cache()


LOSSES, LOSS_PLOT = "loss.csv", "loss.png"
COLUMNS = tuple(field.name for field in fields(Step))
SMOOTHED = 20  # steps


class LossLog:
    """Continues after step `done`: rows of steps that a killed run took in vain are dropped."""

    def __init__(self, folder: Path, done: int) -> None:
        self._file = folder / LOSSES
        taken = [row for row in read_losses(self._file) if row["step"] <= done]
        with self._file.open("w", newline="", encoding="utf-8") as out:
            table = csv.DictWriter(out, COLUMNS, lineterminator="\n")
            table.writeheader()
            table.writerows(taken)

    def add(self, step: Step) -> None:
        with self._file.open("a", newline="", encoding="utf-8") as out:
            csv.DictWriter(out, COLUMNS, lineterminator="\n").writerow(asdict(step))


def read_losses(file: Path) -> list[dict[str, float]]:
    if not file.is_file():
        return []
    with file.open(newline="", encoding="utf-8") as rows:
        return [{name: float(value) for name, value in row.items()} for row in csv.DictReader(rows)]


def draw_losses(folder: Path) -> None:
    from matplotlib.figure import Figure

    rows = read_losses(folder / LOSSES)
    steps, losses = [row["step"] for row in rows], np.array([row["loss"] for row in rows])
    figure = Figure(figsize=(7, 4), layout="constrained")
    axes = figure.subplots()
    axes.plot(steps, losses, color="0.75", label="each step")
    width = min(SMOOTHED, max(1, len(losses) // 4))
    means = np.convolve(losses, np.full(width, 1 / width), mode="valid")
    axes.plot(steps[width - 1 :], means, color="tab:red", label=f"mean of {width} steps")
    axes.set(xlabel="step", ylabel="loss (nats a token)", ylim=(0, None))
    axes.legend()
    figure.savefig(folder / LOSS_PLOT, dpi=120)
