"""One run in one folder: loaded, resumed, trained, logged, and saved as an adapter."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch

from healer.engines.medgemma.adapter import AdapterManifest
from healer.engines.medgemma.loading import Plan
from healer.errors import FolderTaken
from healer.evaluation.datasets import Dataset, Limits
from healer.litter import is_empty
from healer.manifest import Manifest
from healer.tuning import lora, plot
from healer.tuning.checkpoint import Checkpoint
from healer.tuning.data import Lessons
from healer.tuning.merge import check_disk
from healer.tuning.recipe import Recipe
from healer.tuning.train import Step, Trainer

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
        self._gemma = lora.load(job.plan)
        torch.manual_seed(job.recipe.seed)
        self._wrapped = lora.attach(self._gemma.model, job.recipe, job.base.model_id)
        lessons = Lessons(self._gemma, job.data, job.limits, job.base.model_id)
        self.trainer = Trainer(self._gemma, self._wrapped, lessons, job.recipe)
        self._checkpoint = Checkpoint(job.folder, job.binding)
        self.trainer.resume(self._checkpoint)

    def steps(self) -> Iterator[Step]:
        log = plot.LossLog(self._job.folder, self.trainer.done)
        for step in self.trainer.run(self._checkpoint, self._job.every):
            log.add(step)
            yield step
        plot.draw(self._job.folder)

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
        return lora.save(self._wrapped, job.folder / ADAPTER, about)

    def memory_bytes(self) -> int:
        """The most that was held on CUDA, or what this process holds now."""
        if self._gemma.model.device.type == "cuda":
            return torch.cuda.max_memory_allocated()
        return int(psutil.Process().memory_info().rss)

    def close(self) -> None:
        """Lets the model go, so that the next one finds its memory free."""
        del self._gemma, self._wrapped, self.trainer
        torch.cuda.empty_cache()
