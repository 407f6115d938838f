"""Files that desktops leave in every folder that they show or copy: no part of any model."""

from __future__ import annotations

from pathlib import Path

APPLE_DOUBLE = "._"  # macOS keeps there what another file system cannot hold of the file beside it
LITTER_NAMES = frozenset({".ds_store", ".localized", "desktop.ini", "ehthumbs.db", "thumbs.db"})


def is_litter(name: str) -> bool:
    """By the file's name; systems that leave such files tell no case apart."""
    return name.startswith(APPLE_DOUBLE) or name.lower() in LITTER_NAMES


def is_empty(folder: Path) -> bool:
    """Whether there is no such folder, or nothing but litter in it."""
    return not folder.exists() or all(is_litter(path.name) for path in folder.iterdir())


def weights_in(folder: Path) -> list[Path]:
    """The folder's files of safetensors, in order."""
    return sorted(path for path in folder.glob("*.safetensors") if not is_litter(path.name))
