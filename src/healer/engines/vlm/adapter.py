"""A LoRA adapter of `healer tune`: what makes a folder one, whose it is, and attaching it.

`healer-adapter.json` is written last, so a folder without one is never taken for complete.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import Field

from healer.engines.vlm.prompt import short_hash
from healer.errors.engine import AdapterIncomplete, AdapterMismatch
from healer.files.disk import StoredRecord, save_record
from healer.weights.manifest import (
    OURS,
    FolderKind,
    Listing,
    Manifest,
    ManifestFile,
)

ADAPTER_FILE = f"{OURS}adapter.json"
CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


class Trained(StoredRecord):
    """The model an adapter was trained on, and what with.

    `merged` names the adapter that the model already had in its weights. `tiles` and `cases` were
    trained on.
    """

    model_id: str
    revision: str
    merged: str | None = None
    dataset: str
    tiles: int = Field(gt=0)
    cases: int = Field(gt=0)
    recipe: dict[str, str | int | float | bool]


class AdapterManifest(Listing, Trained):
    """That, and the files the adapter consists of."""

    files: tuple[ManifestFile, ...] = Field(min_length=2)

    @property
    def id(self) -> str:
        """Changes with anything in the weights or in how they are applied."""
        return short_hash("".join(sorted(f"{file.name}:{file.sha256};" for file in self.files)))


def _altered(folder: str, file: str, reason: str) -> AdapterIncomplete:
    return AdapterIncomplete(folder, f"{file} is not the file that was trained ({reason})")


ADAPTER = FolderKind(ADAPTER_FILE, AdapterManifest, AdapterIncomplete, _altered)


def write_adapter(folder: Path, adapter: AdapterManifest) -> None:
    """Put the adapter's manifest in place in one step, or not at all."""
    save_record(folder / ADAPTER_FILE, adapter)


def read_adapter(folder: Path) -> AdapterManifest:
    """The folder's adapter, every file hashed; raises AdapterIncomplete."""
    adapter = ADAPTER.check(folder, deep=True)
    for name in {CONFIG, WEIGHTS} - {file.name for file in adapter.files}:
        raise AdapterIncomplete(str(folder), f"{ADAPTER_FILE} does not list {name}")
    return adapter


def check_adapter(folder: Path, base: Manifest) -> AdapterManifest:
    """The folder's adapter, which fits `base`; raises AdapterIncomplete or AdapterMismatch."""
    adapter = read_adapter(folder)
    pairs = {
        "model": (adapter.model_id, base.model_id),
        "revision": (adapter.revision, base.revision),
        "merged adapter": (adapter.merged or "none", base.adapter or "none"),
    }
    for part, (trained_for, serving) in pairs.items():
        if trained_for != serving:
            raise AdapterMismatch(str(folder), part, trained_for, serving)
    return adapter


def adapter_name(base: Manifest, folder: Path | None) -> str | None:
    """What an answer names its adapter by. A merged one is not the same: it was rounded into the
    weights, and quantised with them. Raises AdapterIncomplete or AdapterMismatch."""
    if folder is not None:
        return check_adapter(folder, base).id
    return f"merged-{base.adapter}" if base.adapter else None


def attach_adapter(model: Any, folder: Path) -> Any:  # noqa: ANN401
    """Puts the adapter's layers into `model`, in place, for inference; returns peft's wrapper."""
    from peft import PeftModel

    with known_warnings():
        wrapped = PeftModel.from_pretrained(model, str(folder), torch_device=str(model.device))
    return wrapped.eval()


@contextmanager
def known_warnings() -> Iterator[None]:
    """peft uses transformers by a name that transformers is about to drop."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".is_gradient_checkpointing", FutureWarning)
        yield
