"""A run's state in one file, replaced in one step, so that a killed run goes on."""

from __future__ import annotations

import os
import pickle
import zipfile
from pathlib import Path
from typing import Any

import torch
from peft import get_peft_model_state_dict, set_peft_model_state_dict

from healer.errors import CheckpointUnusable

NAME = "checkpoint.pt"
Binding = dict[str, Any]


class Checkpoint:
    """`binding` is everything a run's weights depend on; another run's file is refused."""

    def __init__(self, folder: Path, binding: Binding) -> None:
        self._file = folder / NAME
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
        with draft.open("wb") as stream:
            torch.save(state, stream)
            stream.flush()
            os.fsync(stream.fileno())
        draft.replace(self._file)

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
