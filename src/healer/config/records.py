"""What is kept of what happened."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field, SecretStr


class RecordSettings(BaseModel):
    audit: SecretStr | None = Field(
        default=None,
        description=(
            "Record every answer in sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME; `on` "
            "is sqlite:///healer-audit.db. See docs/audit.md."
        ),
    )
    audit_failure: Literal["refuse", "degrade"] = Field(
        default="refuse",
        description=(
            "While that log cannot be written: give no answer (`refuse`), or answer and say in the "
            "answer, in /health and later in the log itself that it was not recorded (`degrade`)."
        ),
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="How much is logged."
    )
    log_format: Literal["auto", "console", "json"] = Field(
        default="auto", description="`auto` is console on a terminal and JSON otherwise."
    )
