"""Environment variables' names, and paths that may begin with `~`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, AliasChoices
from pydantic.fields import FieldInfo

PREFIX = "HEALER_"


def plain_name(name: str) -> AliasChoices:
    """An environment name that carries no HEALER_ prefix."""
    return AliasChoices(name)


def variable_names_of(name: str, field: FieldInfo) -> list[str]:
    """Every environment variable a field is read from, the preferred one first."""
    if isinstance(field.validation_alias, AliasChoices):
        return [str(choice) for choice in field.validation_alias.choices]
    return [f"{PREFIX}{name.upper()}"]


def expanded(path: Path) -> Path:
    """Raises ValueError where no such home is known."""
    try:
        return path.expanduser()
    except RuntimeError:
        home = path.parts[0]
        raise ValueError(f"no home folder is known for {home}; give the whole path") from None


LocalPath = Annotated[Path, AfterValidator(expanded)]
