"""A LoRA adapter of `healer tune`: what makes a folder one, whose it is, and attaching it.

`healer-adapter.json` is written last, so a folder without one is never taken for complete.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from healer import __version__
from healer.engines.medgemma.prompt import short_hash
from healer.errors import AdapterIncomplete, AdapterMismatch
from healer.manifest import OURS, Manifest, ManifestFile, put, sha256_of

NAME = f"{OURS}adapter.json"
CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


class AdapterManifest(BaseModel):
    """The model an adapter was trained on, what with, and the files it consists of.

    `merged` names the adapter that the model already had in its weights. `tiles` and `cases` were
    trained on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", protected_namespaces=())

    format: Literal[1] = 1
    model_id: str
    revision: str
    merged: str | None = None
    dataset: str
    tiles: int = Field(gt=0)
    cases: int = Field(gt=0)
    recipe: dict[str, str | int | float | bool]
    files: tuple[ManifestFile, ...] = Field(min_length=2)
    healer: str = __version__
    created: datetime = Field(default_factory=lambda: datetime.now(UTC))

    @property
    def id(self) -> str:
        """Changes with anything in the weights or in how they are applied."""
        return short_hash("".join(sorted(f"{file.name}:{file.sha256};" for file in self.files)))


def write(folder: Path, adapter: AdapterManifest) -> None:
    """Put the adapter's manifest in place in one step, or not at all."""
    put(folder / NAME, adapter)


def read(folder: Path) -> AdapterManifest:
    """The folder's adapter, every file hashed; raises AdapterIncomplete."""
    try:
        adapter = AdapterManifest.model_validate_json((folder / NAME).read_bytes())
    except FileNotFoundError:
        raise AdapterIncomplete(str(folder), f"it holds no {NAME}") from None
    except OSError as error:
        raise AdapterIncomplete(str(folder), f"{NAME}: {error.strerror}") from None
    except ValidationError:
        raise AdapterIncomplete(str(folder), f"{NAME} is damaged") from None
    for name in {CONFIG, WEIGHTS} - {file.name for file in adapter.files}:
        raise AdapterIncomplete(str(folder), f"{NAME} does not list {name}")
    for file in adapter.files:
        if not (folder / file.name).is_file():
            raise AdapterIncomplete(str(folder), f"{file.name} is missing")
        if sha256_of(folder / file.name) != file.sha256:
            raise AdapterIncomplete(str(folder), f"{file.name} is not the file that was trained")
    return adapter


def check(folder: Path, base: Manifest) -> AdapterManifest:
    """The folder's adapter, which fits `base`; raises AdapterIncomplete or AdapterMismatch."""
    adapter = read(folder)
    pairs = {
        "model": (adapter.model_id, base.model_id),
        "revision": (adapter.revision, base.revision),
        "merged adapter": (adapter.merged or "none", base.adapter or "none"),
    }
    for part, (trained_for, serving) in pairs.items():
        if trained_for != serving:
            raise AdapterMismatch(str(folder), part, trained_for, serving)
    return adapter


def name(base: Manifest, folder: Path | None) -> str | None:
    """What an answer names its adapter by. A merged one is not the same: it was rounded into the
    weights, and quantised with them. Raises AdapterIncomplete or AdapterMismatch."""
    if folder is not None:
        return check(folder, base).id
    return f"merged-{base.adapter}" if base.adapter else None


def attach(model: Any, folder: Path) -> Any:  # noqa: ANN401
    """Puts the adapter's layers into `model`, in place, for inference; returns peft's wrapper."""
    from peft import PeftModel

    with known_warnings():
        wrapped = PeftModel.from_pretrained(model, str(folder), torch_device=str(model.device))
    return wrapped.eval()


@contextmanager
def known_warnings() -> Iterator[None]:
    """peft asks transformers by a name that transformers is about to drop."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".is_gradient_checkpointing", FutureWarning)
        yield
