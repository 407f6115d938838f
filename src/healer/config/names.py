"""What settings are called in the environment."""

from __future__ import annotations

from pydantic import AliasChoices
from pydantic.fields import FieldInfo

PREFIX = "HEALER_"


def plain(name: str) -> AliasChoices:
    """An environment name that carries no HEALER_ prefix."""
    return AliasChoices(name)


def names_of(name: str, field: FieldInfo) -> list[str]:
    """Every environment variable a field is read from, the preferred one first."""
    if isinstance(field.validation_alias, AliasChoices):
        return [str(choice) for choice in field.validation_alias.choices]
    return [f"{PREFIX}{name.upper()}"]
