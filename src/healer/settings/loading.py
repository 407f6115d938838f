"""All settings, read from the environment and from `.env`."""

from __future__ import annotations

import os
from difflib import get_close_matches
from typing import Any

from pydantic import BaseModel, ValidationError, field_validator
from pydantic_settings import BaseSettings, DotEnvSettingsSource, SettingsConfigDict

from healer.errors.base import InvalidSettings
from healer.settings.hospital import HospitalSettings
from healer.settings.model import ModelSettings
from healer.settings.names import PREFIX, variable_names_of
from healer.settings.server import AccessSettings, RecordSettings, ServingSettings

# In the order of README's tables.
GROUPS: dict[str, type[BaseModel]] = {
    "The model": ModelSettings,
    "Serving": ServingSettings,
    "Access": AccessSettings,
    "Records": RecordSettings,
    "Hospital": HospitalSettings,
}


class Settings(
    ModelSettings,
    ServingSettings,
    AccessSettings,
    RecordSettings,
    HospitalSettings,
    BaseSettings,
):
    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
        protected_namespaces=(),
        hide_input_in_errors=True,
    )

    @field_validator(
        "log_level",
        "gate",
        "engine",
        "device",
        "dtype",
        "quantization",
        "audit_failure",
        "unauthenticated",
        mode="before",
    )
    @classmethod
    def _lower(cls, value: object) -> object:
        return value.lower() if isinstance(value, str) else value

    def unknown_variables(self) -> dict[str, str]:
        """HEALER_ variables, of the environment and of `.env`, that no setting reads, each with
        what to do about it."""
        known = {
            name for field in type(self).model_fields.items() for name in variable_names_of(*field)
        }
        in_file = DotEnvSettingsSource(type(self), case_sensitive=True).env_vars
        given = {*os.environ, *in_file}
        ours = {name for name in given if name.upper().startswith(PREFIX)}
        return {
            name: _hint(name, known)
            for name in sorted(ours)
            if name.upper() not in known and not name.startswith(f"{PREFIX}TEST_")
        }


def _hint(unknown: str, known: set[str]) -> str:
    by_rest = {name.removeprefix(PREFIX): name for name in known}  # all share the prefix
    nearest = get_close_matches(unknown.upper().removeprefix(PREFIX), by_rest, n=1)
    return f"did you mean {by_rest[nearest[0]]}?" if nearest else "see README's configuration table"


def load_settings(**overrides: Any) -> Settings:  # noqa: ANN401 - a setting's own type decides
    """Settings from the environment; a bad value becomes one sentence naming the variable."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = str(first["loc"][0])
        reason = first["msg"].removeprefix("Value error, ")
        raise InvalidSettings(variable_of(name), f"cannot be used: {reason}") from None


def variable_of(name: str) -> str:
    """The environment variable behind a field's name or alias."""
    field = Settings.model_fields.get(name)
    return variable_names_of(name, field)[0] if field else name
