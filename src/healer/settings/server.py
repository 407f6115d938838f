"""How much is taken on, and for how long."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field, SecretStr

from healer.settings.names import plain_name


class ServingSettings(BaseModel):
    host: str = Field(default="127.0.0.1", description="Address to serve on.")
    port: int = Field(
        default=8080,
        ge=0,
        le=65535,
        validation_alias=plain_name("PORT"),
        description="Port to serve on; 0 picks a free one.",
    )
    queue: int = Field(
        default=16,
        ge=1,
        le=10_000,
        description="Images that may wait for the model; further ones are told when to come again.",
    )
    batch: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="Images the model looks at together; the default is the engine's own best.",
    )
    batch_wait_ms: float | None = Field(
        default=None,
        ge=0,
        le=10_000,
        description="Milliseconds the first of them waits for others; the default is the engine's.",
    )
    request_timeout: float = Field(
        default=300,
        gt=0,
        description=(
            "Seconds until an answer is given up; a caller may ask for less with X-Request-Timeout."
        ),
    )
    hang_seconds: float = Field(
        default=300,
        gt=0,
        description=(
            "A model that is silent for so long in one step is given up, and the service ends so "
            "that its platform starts it again."
        ),
    )
    max_bytes: int = Field(
        default=20 * 1024 * 1024, ge=1024, description="Largest upload, in bytes."
    )
    max_pixels: int = Field(
        default=40_000_000, ge=1024, description="Largest image, in pixels, read from its header."
    )
    upload_budget_mb: int = Field(
        default=512,
        ge=1,
        description="Memory for the images being received, waiting and looked at, as decoded.",
    )
    decoders: int = Field(
        default=2,
        ge=0,
        le=64,
        description=(
            "Processes that read images, bound in time and memory; 0 reads them in the service's "
            "own, which a bad enough image can stop."
        ),
    )
    decode_seconds: float = Field(
        default=20,
        gt=0,
        le=3600,
        description="Seconds in which an image must have been read; it is refused after that.",
    )
    connections: int = Field(
        default=4000,
        ge=1,
        description=(
            "Open connections, if the process may have so many files; for a further one, whoever "
            "has rested longest is let go."
        ),
    )
    client_timeout: float = Field(
        default=30,
        gt=0,
        description=(
            "Seconds for a request's head to arrive, and that a client may send or read next to "
            "nothing."
        ),
    )


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
