"""The model, its engine, the input gate and the calibration."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from pydantic import AliasChoices, BaseModel, Field, HttpUrl, SecretStr, field_validator

from healer.errors.base import InvalidSettings
from healer.settings.names import LocalPath, expanded, plain_name

GateMode = Literal["refuse", "warn", "off"]
# Commits of the repositories we know, so that a default build is the same build tomorrow.
PINNED_REVISIONS = {
    "google/medgemma-4b-it": "290cda5eeccbee130f987c4ad74a59ae6f196408",
    "google/medgemma-1.5-4b-it": "91850547d9f0b2fdd21aa7c5f4f3d1a8a52c243b",
}
COMMIT = re.compile(r"[0-9a-f]{40}")


class ModelSettings(BaseModel):
    hf_token: SecretStr | None = Field(
        default=None,
        validation_alias=AliasChoices("MY_HF_TOKEN", "HF_TOKEN"),
        description="Hugging Face read token, needed only to download a gated model.",
    )
    model_id: str = Field(
        default="google/medgemma-4b-it",
        pattern=r"^[\w.-]+/[\w.-]+$",
        validation_alias=plain_name("MODEL_ID"),
        description="Model to download and serve (owner/name on the hub).",
    )
    model_revision: str | None = Field(
        default=None,
        pattern=r"^[\w./-]+$",
        validation_alias=plain_name("MODEL_REVISION"),
        description=(
            "Commit of the model; the default is the commit Healer was written against for "
            "models it knows, and must be set for others."
        ),
    )
    model_dir: LocalPath = Field(
        default=Path("medgemma-model"),
        validation_alias=plain_name("MODEL_DIR"),
        description="Folder that holds the downloaded model.",
    )
    model_adapter: LocalPath | None = Field(
        default=None,
        validation_alias=plain_name("MODEL_ADAPTER"),
        description="Folder of a LoRA adapter that `healer tune` made; MedGemma is served with it.",
    )
    allow_unpinned: bool = Field(
        default=False, description="Accept a MODEL_REVISION that can move, such as `main`."
    )
    engine: str = Field(
        default="auto",
        description=(
            "`auto` takes MedGemma where MODEL_DIR is complete (on CUDA, or as `healer optimize` "
            "converted it, or as downloaded), otherwise the built-in. `openai` sends tiles to the "
            "server at HEALER_ENGINE_URL."
        ),
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
            "and on a GPU with less than 14 GiB. The built-in model computes in 8 bits only where "
            "this is `8bit`, through OpenVINO where that is installed."
        ),
    )
    threads: int = Field(
        default=0, ge=0, le=1024, description="CPU threads for the model; 0 means all cores."
    )
    replicas: int = Field(
        default=1,
        ge=1,
        le=64,
        description="Copies of the model in this process, each with its share of the threads.",
    )
    image_cache_mb: int = Field(
        default=64,
        ge=0,
        description=(
            "Memory in MB for encoded images of the openvino engine, so that a repeated image is "
            "not encoded again; MedGemma's take 21 MB each, and 0 caches none."
        ),
    )
    allow_fallback: bool = Field(
        default=True,
        description="If 8-bit weights prove unsound, go on unquantised with a warning.",
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
        description="Seconds that server may be silent, and that failed requests are retried for.",
    )
    gate: GateMode = Field(
        default="refuse",
        description=(
            "A picture that is no assessable H&E field is refused (`refuse`), answered with a "
            "warning (`warn`), or not checked by the gate (`off`)."
        ),
    )
    calibration: str = Field(
        default="auto",
        description=(
            "A calibration file, `off`, or `auto`: the built-in model's own, or "
            "`healer-calibration.json` in MODEL_DIR."
        ),
    )

    @field_validator("engine")
    @classmethod
    def _known_engine(cls, engine: str) -> str:
        # Imported here: the registry's engines are opened by settings.
        from healer.engines.registry import ENGINES

        if engine != "auto" and engine not in ENGINES:
            names = ", ".join(["auto", *ENGINES])
            raise ValueError(f"must be one of {names}")
        return engine

    @field_validator("engine_url")
    @classmethod
    def _without_secrets(cls, value: HttpUrl | None) -> HttpUrl | None:
        if value and (value.username or value.password or value.query):
            raise ValueError(
                "it must hold no user, password or query; HEALER_ENGINE_KEY is for keys"
            )
        return value

    @field_validator("calibration")
    @classmethod
    def _expand(cls, value: str) -> str:
        return str(expanded(Path(value)))

    @property
    def revision(self) -> str:
        """The configured revision; raises InvalidSettings where none is known for the model."""
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
