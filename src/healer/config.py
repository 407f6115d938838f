"""Every setting, one place. Read from the environment and from `.env`."""

from __future__ import annotations

import os
import re
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Literal

from pydantic import AliasChoices, Field, HttpUrl, SecretStr, ValidationError, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, SettingsConfigDict

from healer.errors import InvalidSettings

# Commits of the repositories we know, so that a default build is the same build tomorrow.
PINNED_REVISIONS = {
    "google/medgemma-4b-it": "290cda5eeccbee130f987c4ad74a59ae6f196408",
    "google/medgemma-1.5-4b-it": "91850547d9f0b2fdd21aa7c5f4f3d1a8a52c243b",
}
GateMode = Literal["refuse", "warn", "off"]
COMMIT = re.compile(r"[0-9a-f]{40}")
# Plain HTTP is for this machine only: whoever can alter the answer could let anyone in.
ADDRESS = r"^(https://[^\s]+|http://(127\.0\.0\.1|localhost)(:\d+)?(/[^\s]*)?)$"


def plain(name: str) -> AliasChoices:
    """An environment name that carries no HEALER_ prefix."""
    return AliasChoices(name)


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix="HEALER_",
        env_file=".env",
        env_ignore_empty=True,
        extra="ignore",
        frozen=True,
        populate_by_name=True,
        protected_namespaces=(),
        hide_input_in_errors=True,
    )

    hf_token: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("MY_HF_TOKEN", "HF_TOKEN"),
        description="Hugging Face read token, needed only to download a gated model.",
    )
    model_id: str = Field(
        default="google/medgemma-4b-it",
        pattern=r"^[\w.-]+/[\w.-]+$",
        validation_alias=plain("MODEL_ID"),
        description="Model to download and serve (owner/name on the hub).",
    )
    model_revision: str | None = Field(
        default=None,
        pattern=r"^[\w./-]+$",
        validation_alias=plain("MODEL_REVISION"),
        description=(
            "Commit of the model; the default is the commit Healer was written against for "
            "models it knows, and must be set for others."
        ),
    )
    model_dir: Path = Field(
        default=Path("medgemma-model"),
        validation_alias=plain("MODEL_DIR"),
        description="Folder that holds the downloaded model.",
    )
    model_adapter: Path | None = Field(
        default=None,
        validation_alias=plain("MODEL_ADAPTER"),
        description="Folder of a LoRA adapter that `healer tune` made; MedGemma is served with it.",
    )
    port: int = Field(
        default=8080,
        ge=0,
        le=65535,
        validation_alias=plain("PORT"),
        description="Port to serve on; 0 picks a free one.",
    )
    host: str = Field(default="127.0.0.1", description="Address to serve on.")
    cors_origins: str = Field(
        default="",
        pattern=r"^(https?://[\w.-]+(:\d+)?(,https?://[\w.-]+(:\d+)?)*)?$",
        description=(
            "Comma-separated origins (`https://pathology.example.org`) whose pages may ask from a "
            "browser. None by default: Healer serves its own page."
        ),
    )
    engine: Literal["auto", "builtin", "medgemma", "openvino", "openai"] = Field(
        default="auto",
        description=(
            "`auto` takes MedGemma where MODEL_DIR is complete (on CUDA, or as `healer optimize` "
            "converted it, or as downloaded), otherwise the built-in. `openai` sends tiles to the "
            "server at HEALER_ENGINE_URL."
        ),
    )
    engine_url: HttpUrl | None = Field(
        default=None,
        description=(
            "Address of an OpenAI-compatible server, usually with /v1 at its end; for the openai "
            "engine."
        ),
    )
    engine_key: SecretStr | None = Field(default=None, description="That server's API key.")
    engine_model: str | None = Field(
        default=None, description="Its name for the model; not needed where it has only one."
    )
    engine_timeout: float = Field(
        default=60,
        gt=0,
        description="Seconds that server may be silent, and that failed questions are asked again.",
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        default="auto", description="Where MedGemma runs; `auto` prefers CUDA, then MPS, then CPU."
    )
    dtype: Literal["bfloat16", "float32"] = Field(
        default="bfloat16",
        description="MedGemma's arithmetic; float16 is not offered, Gemma 3 overflows in it.",
    )
    quantization: Literal["auto", "8bit", "none"] = Field(
        default="auto",
        description=(
            "MedGemma's weights: 8-bit (bitsandbytes) or as they are; `auto` is 8-bit on the CPU "
            "and on a GPU with less than 14 GiB."
        ),
    )
    image_cache_mb: int = Field(
        default=64,
        ge=0,
        description=(
            "Memory for images the openvino engine has seen, so that asking again is quick; 0 "
            "keeps none."
        ),
    )
    allow_fallback: bool = Field(
        default=True,
        description="If 8-bit weights prove unsound, go on unquantised with a warning.",
    )
    allow_unpinned: bool = Field(
        default=False, description="Accept a MODEL_REVISION that can move, such as `main`."
    )
    gate: GateMode = Field(
        default="refuse",
        description=(
            "A picture that is no assessable H&E field is refused (`refuse`), answered with a "
            "warning (`warn`), or not looked at by the gate (`off`)."
        ),
    )
    calibration: str = Field(
        default="auto",
        description=(
            "A calibration file, `off`, or `auto`: the built-in model's own, or "
            "`healer-calibration.json` in MODEL_DIR."
        ),
    )
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
    threads: int = Field(
        default=0, ge=0, le=1024, description="CPU threads for the model; 0 means all cores."
    )
    max_bytes: int = Field(
        default=20 * 1024 * 1024, ge=1024, description="Largest upload, in bytes."
    )
    max_pixels: int = Field(
        default=40_000_000, ge=1024, description="Largest image, in pixels, read from its header."
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
    replicas: int = Field(
        default=1,
        ge=1,
        le=64,
        description="Copies of the model in this process, each with its share of the threads.",
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
    upload_budget_mb: int = Field(
        default=512,
        ge=1,
        description="Memory for the images being received, waiting and looked at, as decoded.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="How much is logged."
    )
    log_format: Literal["auto", "console", "json"] = Field(
        default="auto", description="`auto` is console on a terminal and JSON otherwise."
    )

    api_keys_file: Path | None = Field(
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
        description="Whom those tokens must be meant for: this service's name there, or several "
        "by comma.",
    )
    oidc_jwks_url: str | None = Field(
        default=None,
        pattern=ADDRESS,
        description="Where the issuer's public keys are, where it does not say so itself.",
    )
    oidc_header: str = Field(
        default="Authorization",
        pattern=r"^[A-Za-z0-9-]+$",
        description="Header that holds the token; Google's IAP uses `X-Goog-IAP-JWT-Assertion`.",
    )
    unauthenticated: Literal["checked-in-front", "anyone-may-ask"] | None = Field(
        default=None,
        description=(
            "Serve others than this machine without asking who they are: because something in "
            "front does (`checked-in-front`), or because it is meant (`anyone-may-ask`)."
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
    client_timeout: float = Field(
        default=30,
        gt=0,
        description=(
            "Seconds for a request's head to arrive, and that a client may send or read next to "
            "nothing."
        ),
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

    @field_validator("engine_url")
    @classmethod
    def _without_secrets(cls, value: HttpUrl | None) -> HttpUrl | None:
        if value and (value.username or value.password or value.query):
            raise ValueError(
                "it must hold no user, password or query; HEALER_ENGINE_KEY is for keys"
            )
        return value

    def unknown_variables(self) -> dict[str, str]:
        """HEALER_ variables that no setting reads, each with the nearest one that is read."""
        prefix = str(self.model_config["env_prefix"])
        known = {name for field in type(self).model_fields.items() for name in names_of(*field)}
        unknown = {name for name in os.environ if name.startswith(prefix)}
        return {
            name: next(iter(get_close_matches(name, known)), "")
            for name in unknown - known
            if not name.startswith(f"{prefix}TEST_")
        }

    @property
    def revision(self) -> str:
        """The revision asked for; raises InvalidSettings where none is known for the model."""
        revision = self.model_revision or PINNED_REVISIONS.get(self.model_id)
        if revision is None:
            raise InvalidSettings(
                "MODEL_REVISION",
                f"must be set, because Healer knows no commit of {self.model_id}",
            )
        return revision

    @property
    def revision_is_pinned(self) -> bool:
        return COMMIT.fullmatch(self.revision) is not None


def load_settings(**overrides: Any) -> Settings:  # noqa: ANN401 - a setting's own type decides
    """Settings from the environment; a bad value becomes one sentence naming the variable."""
    try:
        return Settings(**overrides)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        name = str(first["loc"][0])
        raise InvalidSettings(variable_of(name), f"cannot be used: {first['msg']}") from None


def variable_of(name: str) -> str:
    """The environment variable behind a field's name or alias."""
    field = Settings.model_fields.get(name)
    return names_of(name, field)[0] if field else name


def names_of(name: str, field: FieldInfo) -> list[str]:
    """Every environment variable a field is read from, the preferred one first."""
    if isinstance(field.validation_alias, AliasChoices):
        return [str(choice) for choice in field.validation_alias.choices]
    return [f"{Settings.model_config['env_prefix']}{name.upper()}"]
