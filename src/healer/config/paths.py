"""Paths in settings and options: `~` is the home folder, as in a shell that leaves it to us."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator


def expanded(path: Path) -> Path:
    """Raises ValueError where no such home is known."""
    try:
        return path.expanduser()
    except RuntimeError:
        home = path.parts[0]
        raise ValueError(f"no home folder is known for {home}; give the whole path") from None


LocalPath = Annotated[Path, AfterValidator(expanded)]
