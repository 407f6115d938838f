"""A random Gemma 3 checkpoint of any shape on disk, laid out as the hub lays out MedGemma.

Its answers mean nothing; its time and memory are those of the real one. Making it holds the weights
in memory once: 9 GB for MedGemma's shape.
"""

from __future__ import annotations

import contextlib
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch

from benchmarks.checkpoint.configs import write_configs
from benchmarks.checkpoint.shapes import Shape
from benchmarks.checkpoint.tokenizer import copy, special_ids, write_tokenizer
from benchmarks.checkpoint.weights import random_model, save_weights, total_bytes
from benchmarks.errors import CheckpointDiskFull, CheckpointFolderTaken
from healer.errors import ModelError
from healer.files.walk import is_system_file
from healer.weights.manifest import (
    MANIFEST_FILE,
    Manifest,
    ManifestFile,
    check_folder,
    is_empty,
    save_manifest,
    sha256_of,
)

REVISION = "0" * 40
SMALL = 64 * 1024 * 1024  # more than a real tokenizer and the configs take


@dataclass(frozen=True, slots=True)
class Recipe:
    """`tokens` is a folder with a real tokenizer, or None for a small one made here."""

    shape: Shape
    seed: int = 0
    tokens: Path | None = None

    @property
    def model_id(self) -> str:
        kind = f"-{self.tokens.name}" if self.tokens else ""
        return f"healer/random-{self.shape.name}{kind}-seed-{self.seed}"


def make_checkpoint(folder: Path, recipe: Recipe) -> Manifest:
    """Writes the checkpoint; a finished one of the same recipe is used as it is.

    Raises CheckpointDiskFull, or CheckpointFolderTaken where the folder holds another model.
    """
    if (found := finished(folder, recipe)) is not None:
        return found
    check_disk(folder, total_bytes(recipe.shape) + SMALL)
    for old in (folder / MANIFEST_FILE, *folder.glob("model*.safetensors*")):
        old.unlink(missing_ok=True)
    if recipe.tokens:
        copy(recipe.tokens, folder)
    else:
        write_tokenizer(folder)
    write_configs(folder, recipe.shape, special_ids(folder))
    model = random_model(folder, recipe.seed, torch.bfloat16)
    save_weights(model, folder, recipe.shape.shard_bytes)
    return write_manifest(folder, recipe.model_id)


def finished(folder: Path, recipe: Recipe) -> Manifest | None:
    """Raises CheckpointFolderTaken where what is there is not an unfinished one of ours."""
    with contextlib.suppress(ModelError):
        found = check_folder(folder)
        if found.model_id != recipe.model_id:
            raise CheckpointFolderTaken(str(folder))
        return found
    if not is_empty(folder) and not (folder / "tokenizer.json").exists():
        raise CheckpointFolderTaken(str(folder))
    return None


def check_disk(folder: Path, needed: int) -> None:
    """Makes the folder; raises CheckpointDiskFull. What is there already will be overwritten."""
    folder.mkdir(parents=True, exist_ok=True)
    there = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    free = shutil.disk_usage(folder).free + there
    if free < needed:
        raise CheckpointDiskFull(str(folder), needed, free)


def write_manifest(folder: Path, model_id: str) -> Manifest:
    """Of all files that lie in `folder` itself."""
    (folder / MANIFEST_FILE).unlink(missing_ok=True)
    files = tuple(
        ManifestFile(name=path.name, size=path.stat().st_size, sha256=sha256_of(path))
        for path in sorted(folder.iterdir())
        if path.is_file() and not is_system_file(path.name)
    )
    manifest = Manifest(model_id=model_id, revision=REVISION, files=files)
    save_manifest(folder, manifest)
    return manifest
