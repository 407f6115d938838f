"""Base and adapter as one checkpoint in the hub's layout, for serving or for export."""

from __future__ import annotations

import shutil
from pathlib import Path

from healer import manifest
from healer.engines.base import Question
from healer.engines.medgemma import adapter
from healer.engines.medgemma.loading import Plan, offline, quiet
from healer.errors import FolderTaken, TuningDiskFull
from healer.litter import is_empty, is_litter, weights_in
from healer.manifest import Manifest
from healer.tuning import lora

SHARD = "4GB"
REPLACED = (".safetensors", ".safetensors.index.json")


def merge(base: Path, tuned: Path, out: Path, question: Question) -> Manifest:
    """Writes `out`, its manifest last; the weights keep the base's own dtype.

    Raises ModelIncomplete, ModelAltered, AdapterIncomplete, AdapterMismatch, FolderTaken or
    TuningDiskFull.
    """
    found = manifest.check(base)
    trained = adapter.check(tuned, found)
    check_empty(out)
    check_disk(out, found.size)
    plan = Plan(base, question, found.model_id, "cpu", dtype_of(base), "none")
    model = adapter.attach(lora.load(plan).model, tuned).merge_and_unload()
    with offline(), quiet():
        model.save_pretrained(out, max_shard_size=SHARD)
    for weights in weights_in(out):
        weights.chmod(lora.READABLE)
    for file in found.files:
        if not file.name.endswith(REPLACED):  # the base's own configuration stays as it was
            shutil.copyfile(base / file.name, out / file.name)
    made = (path for path in sorted(out.iterdir()) if path.is_file() and not is_litter(path.name))
    files = map(lora.listed, made)
    merged = Manifest(
        model_id=found.model_id,
        revision=found.revision,
        adapter=trained.id,
        files=tuple(files),
    )
    manifest.write(out, merged)
    return merged


def check_empty(out: Path) -> None:
    if out.exists() and not (out.is_dir() and is_empty(out)):
        raise FolderTaken(str(out), "is there already and not empty")
    out.mkdir(parents=True, exist_ok=True)


def check_disk(folder: Path, needed: int) -> None:
    """Raises TuningDiskFull; `folder` exists."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise TuningDiskFull(str(folder), needed, free)


def dtype_of(base: Path) -> str:
    from transformers import AutoConfig

    config = AutoConfig.from_pretrained(base, local_files_only=True, trust_remote_code=False)
    return str(config.dtype or "bfloat16").removeprefix("torch.")
