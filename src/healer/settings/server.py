"""Capacity and time limits, access, and records."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, Field, SecretStr

from healer.settings.names import LocalPath, plain_name

# Plain HTTP is for this machine only: to alter the issuer's answer is to let anyone in.
ADDRESS = r"^(https://[^\s]+|http://(127\.0\.0\.1|localhost)(:\d+)?(/[^\s]*)?)$"


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
        description="Images that may wait for the model; further ones get 429 and Retry-After.",
    )
    batch: int | None = Field(
        default=None,
        ge=1,
        le=1024,
        description="Images in a batch, at most; the default is the engine's own best.",
    )
    batch_wait_ms: float | None = Field(
        default=None,
        ge=0,
        le=10_000,
        description="Milliseconds a batch's first image waits for others; by default the engine's.",
    )
    request_timeout: float = Field(
        default=300,
        gt=0,
        description=(
            "Seconds until a request times out; a caller may set less with X-Request-Timeout."
        ),
    )
    hang_seconds: float = Field(
        default=300,
        gt=0,
        description=(
            "Seconds without progress in one step after which the model is taken for hung, and the "
            "service ends so that its platform restarts it."
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
        description="Memory in MB for the images being received, queued and scored, as decoded.",
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
        description=(
            "Seconds of a processor's time in which an image must have been read; it is refused "
            "after that, or after three times as long on the clock."
        ),
    )
    connections: int = Field(
        default=4000,
        ge=1,
        description=(
            "Open connections, if the process may have so many files; for a further one, the "
            "longest idle one is closed."
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


class AccessSettings(BaseModel):
    api_keys_file: LocalPath | None = Field(
        default=None,
        description=(
            "File of the API keys that callers need; `healer keys add NAME` makes one. See "
            "docs/access.md."
        ),
    )
    oidc_issuer: str | None = Field(
        default=None,
        pattern=ADDRESS,
        description="Issuer whose identity tokens (OpenID Connect) callers may send instead.",
    )
    oidc_audience: str | None = Field(
        default=None,
        description="Audience those tokens must be issued for: this service's name there, or "
        "several by comma.",
    )
    oidc_jwks_url: str | None = Field(
        default=None,
        pattern=ADDRESS,
        description="Address of the issuer's public keys, if its metadata does not name it.",
    )
    oidc_header: str = Field(
        default="Authorization",
        pattern=r"^[A-Za-z0-9-]+$",
        description="Header that holds the token; Google's IAP uses `X-Goog-IAP-JWT-Assertion`.",
    )
    unauthenticated: Literal["checked-in-front", "anyone-may-ask"] | None = Field(
        default=None,
        description=(
            "Serve other machines without authentication: because something in front authenticates "
            "(`checked-in-front`), or because it is meant (`anyone-may-ask`)."
        ),
    )
    rate_limit: str | None = Field(
        default=None,
        pattern=r"^[1-9]\d{0,8}/(second|minute|hour|day)$",
        description=(
            "Images that one caller (one key, one identity, or else one address) may send, such as "
            "`60/minute`; none by default."
        ),
    )
    trusted_hosts: str = Field(
        default="",
        pattern=r"^((\*\.)?[\w.-]+(,(\*\.)?[\w.-]+)*)?$",
        description=(
            "Comma-separated names (`pathology.example.org`, `*.example.org`) that callers may "
            "call this service by; any by default."
        ),
    )
    cors_origins: str = Field(
        default="",
        pattern=r"^(https?://[\w.-]+(:\d+)?(,https?://[\w.-]+(:\d+)?)*)?$",
        description=(
            "Comma-separated origins (`https://pathology.example.org`) whose pages may send "
            "requests from a browser (CORS). None by default: Healer serves its own page."
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
    slides: LocalPath | None = Field(
        default=None,
        description=(
            "Folder of whole slides that the page and `/slides` offer; it is only read. See "
            "docs/slides.md."
        ),
    )
    results: LocalPath = Field(
        default=Path("healer-results"),
        description=(
            "Folder for what is read of those slides, and for what readers say of them; made on "
            "first use."
        ),
    )
    slide_patches: int = Field(
        default=8,
        ge=0,
        le=64,
        description=(
            "Places of each slide that the served model is shown where the built-in one reads "
            "slides for it; 0 for none."
        ),
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="How much is logged."
    )
    log_format: Literal["auto", "console", "json"] = Field(
        default="auto", description="`auto` is console on a terminal and JSON otherwise."
    )
