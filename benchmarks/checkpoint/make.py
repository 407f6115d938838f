"""A random Gemma 3 checkpoint of any shape on disk, laid out as the hub lays out MedGemma.

Its answers mean nothing; its time and memory are those of the real one.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks.checkpoint.configs import write_configs
from benchmarks.checkpoint.safetensors import write_safetensors
from benchmarks.checkpoint.shapes import Shape, Weight, total_bytes, weights
from benchmarks.checkpoint.tokenizer import copy, special_ids, write_tokenizer
from benchmarks.errors import CheckpointDiskFull, CheckpointFolderTaken
from healer.errors import ModelError
from healer.files.litter import is_empty, is_litter
from healer.weights.manifest import (
    MANIFEST_FILE,
    Advance,
    Manifest,
    ManifestFile,
    check_folder,
    save_manifest,
    sha256_of,
)

REVISION = "0" * 40
SMALL = 64 * 1024 * 1024  # more than a real tokenizer and the configs take
INDEX = "model.safetensors.index.json"


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


def make_checkpoint(folder: Path, recipe: Recipe, *, progress: bool = True) -> Manifest:
    """Writes the checkpoint, or takes up a finished one of the same recipe.

    Raises CheckpointDiskFull, or CheckpointFolderTaken where the folder holds another model.
    """
    if (found := finished(folder, recipe)) is not None:
        return found
    check_disk(folder, total_bytes(recipe.shape) + SMALL)
    (folder / MANIFEST_FILE).unlink(missing_ok=True)
    if recipe.tokens:
        copy(recipe.tokens, folder)
    else:
        write_tokenizer(folder)
    write_configs(folder, recipe.shape, special_ids(folder))
    with bar(total_bytes(recipe.shape), shown=progress) as advance:
        shards = write_shards(folder, recipe, advance)
    made = Manifest(
        model_id=recipe.model_id, revision=REVISION, files=(*shards, *small_files(folder, shards))
    )
    save_manifest(folder, made)
    return made


def finished(folder: Path, recipe: Recipe) -> Manifest | None:
    """Raises CheckpointFolderTaken where what is there is not an unfinished one of ours."""
    with contextlib.suppress(ModelError):
        found = check_folder(folder)
        if found.model_id != recipe.model_id:
            raise CheckpointFolderTaken(str(folder))
        return found
    ours = (f"{INDEX}", "tokenizer.json", "config.json")
    if not is_empty(folder) and not any((folder / name).exists() for name in ours):
        raise CheckpointFolderTaken(str(folder))
    return None


def check_disk(folder: Path, needed: int) -> None:
    """Makes the folder; raises CheckpointDiskFull. What is there already will be written over."""
    folder.mkdir(parents=True, exist_ok=True)
    there = sum(file.stat().st_size for file in folder.glob("*.safetensors"))
    free = shutil.disk_usage(folder).free + there
    if free < needed:
        raise CheckpointDiskFull(str(folder), needed, free)


def write_shards(folder: Path, recipe: Recipe, advance: Advance) -> tuple[ManifestFile, ...]:
    groups = list(sharded(recipe.shape))
    for old in folder.glob("model-*.safetensors*"):
        old.unlink()
    names = [f"model-{n:05}-of-{len(groups):05}.safetensors" for n in range(1, len(groups) + 1)]
    files = tuple(
        write_safetensors(folder / name, group, recipe.seed, advance)
        for name, group in zip(names, groups, strict=True)
    )
    places = {w.name: name for name, group in zip(names, groups, strict=True) for w in group}
    index = {"metadata": {"total_size": total_bytes(recipe.shape)}, "weight_map": places}
    (folder / INDEX).write_text(json.dumps(index, indent=2))
    return files


def sharded(shape: Shape) -> Iterator[list[Weight]]:
    """The weights in order, in groups of at most `shard_bytes`, or of one that is larger."""
    group: list[Weight] = []
    for weight in weights(shape):
        if group and sum(w.nbytes for w in group) + weight.nbytes > shape.shard_bytes:
            yield group
            group = []
        group.append(weight)
    yield group


def small_files(folder: Path, shards: tuple[ManifestFile, ...]) -> tuple[ManifestFile, ...]:
    large = {shard.name for shard in shards}
    return tuple(
        ManifestFile(name=path.name, size=path.stat().st_size, sha256=sha256_of(path))
        for path in sorted(folder.iterdir())
        if path.is_file() and path.name not in large and not is_litter(path.name)
    )


@contextlib.contextmanager
def bar(total: int, *, shown: bool) -> Iterator[Advance]:
    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("Random weights"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not (shown and console.is_terminal)) as bars:
        task = bars.add_task("weights", total=total)
        yield lambda count: bars.update(task, advance=count)
