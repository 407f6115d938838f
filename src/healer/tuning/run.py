"""One run in one folder: loaded, resumed, trained, logged, and saved as an adapter."""

from __future__ import annotations

import pickle
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import torch
from peft import get_peft_model_state_dict, set_peft_model_state_dict

from healer.engines.transformers.loading import Plan
from healer.engines.vlm.adapter import AdapterManifest
from healer.errors.evaluation import CheckpointUnusable, FolderTaken
from healer.evaluation.datasets import Dataset, Limits
from healer.files.disk import atomic_write
from healer.tuning import lora, plot
from healer.tuning.data import Lessons
from healer.tuning.lora import check_disk
from healer.tuning.train import Recipe, Step, Trainer
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
        log = plot.LossLog(self._job.folder, self.trainer.done)
        for step in self.trainer.run(self._checkpoint, self._job.every):
            log.add(step)
            yield step
        plot.draw_losses(self._job.folder)

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


CHECKPOINT_FILE = "checkpoint.pt"
RunBinding = dict[str, Any]


class Checkpoint:
    """`binding` is everything a run's weights depend on; another run's file is refused."""

    def __init__(self, folder: Path, binding: RunBinding) -> None:
        self._file = folder / CHECKPOINT_FILE
        self._binding = binding

    def save(self, step: int, wrapped: Any, optimizer: Any, scheduler: Any) -> None:  # noqa: ANN401
        """`step` optimizer steps are done."""
        state = {
            "binding": self._binding,
            "step": step,
            "adapter": get_peft_model_state_dict(wrapped, save_embedding_layers=False),
            "optimizer": optimizer.state_dict(),
            "scheduler": scheduler.state_dict(),
            "cpu_rng": torch.get_rng_state(),
            "cuda_rng": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
        }
        draft = self._file.with_suffix(".draft")
        with atomic_write(self._file, draft=draft) as stream:
            torch.save(state, stream)

    def restore(self, wrapped: Any, optimizer: Any, scheduler: Any) -> int:  # noqa: ANN401
        """The steps that are done, 0 where there is no file; raises CheckpointUnusable."""
        if not self._file.is_file():
            return 0
        state = self._read()
        set_peft_model_state_dict(wrapped, state["adapter"])
        optimizer.load_state_dict(state["optimizer"])
        scheduler.load_state_dict(state["scheduler"])
        torch.set_rng_state(state["cpu_rng"])
        if state["cuda_rng"] and torch.cuda.is_available():
            torch.cuda.set_rng_state_all(state["cuda_rng"])
        return int(state["step"])

    def _read(self) -> dict[str, Any]:
        try:
            state: dict[str, Any] = torch.load(self._file, map_location="cpu", weights_only=True)
            held = state["binding"]
        except (OSError, RuntimeError, EOFError, KeyError, pickle.UnpicklingError) as error:
            reason = f"it is damaged ({type(error).__name__})"
            raise CheckpointUnusable(str(self._file), reason) from None
        except zipfile.BadZipFile:
            raise CheckpointUnusable(str(self._file), "it is damaged") from None
        if other := [name for name, value in self._binding.items() if held.get(name) != value]:
            reason = f"it belongs to a run with another {' and '.join(other)}"
            raise CheckpointUnusable(str(self._file), reason)
        return state
