"""The shapes of what the service sends beside answers. Field names are a contract; add, never
rename."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, Field

from healer.answer import ModelOut
from healer.notice import NOTICE


class Queued(BaseModel):
    """A place in line."""

    position: int = Field(description="1 is next; 0 once the model looks.")


class Piece(BaseModel):
    """The next words of the explanation."""

    text: str


class Limits(BaseModel):
    """What `/predict` takes; more is refused."""

    max_bytes: int
    max_pixels: int
    formats: list[str]


class Health(BaseModel):
    status: Literal["ok"] = "ok"
    ready: bool
    reason: str | None = Field(description="Why the service is not ready; null when it is.")
    version: str
    engine: str
    engine_reason: str = Field(description="Why this engine was chosen.")
    model: ModelOut | None = Field(description="What answers; null until it is loaded.")
    limits: Limits
    warnings: list[str]
    uptime_seconds: float
    notice: str = NOTICE


class Readiness(BaseModel):
    ready: Literal[True] = True


class Welcome(BaseModel):
    name: str = "Healer"
    version: str
    predict: str = "POST /predict with a multipart form field image_file"
    health: str = "/health"
    openapi: str = "/openapi.json"
    notice: str = NOTICE
