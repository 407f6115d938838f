"""The HTTP contract: `/`, `/health`, `/ready`, `/predict`, `/metrics`.

Field names are part of it: add, never rename.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, Literal

import mimeparse
from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client.exposition import choose_encoder
from pydantic import BaseModel, Field

from healer import NOTICE, __version__, errors
from healer.answer import ModelOut, Prediction
from healer.images.decode import FORMATS
from healer.server.events import EVENTS, Events, answer_in_events
from healer.server.middleware.access import REFUSALS
from healer.server.problems import documented
from healer.server.requests import (
    FORM_SCHEMA,
    PredictRequest,
    cancel_on_disconnect,
    receive_request,
)
from healer.server.scope import TIMEOUT_HEADER
from healer.server.webpage import page_response

if TYPE_CHECKING:
    from healer.server.service import Service
    from healer.settings.loading import Settings
    from healer.telemetry.metrics import Metrics

router = APIRouter()

JSON = "application/json"
NAMED = 100  # mimeparse's fitness of a range that names the type, not only */*

MediaRange = tuple[str, str, dict[str, str]]


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


@router.get(
    "/",
    response_model=Welcome,
    responses={200: {"content": {"text/html": {"schema": {"type": "string"}}}}},
)
async def root(request: Request) -> Response:
    """The page for browsers; a short description otherwise."""
    if prefers(request, "text/html"):
        return page_response()
    return JSONResponse(Welcome(version=__version__).model_dump(), headers={"Vary": "Accept"})


@router.get("/health", responses={503: {"model": Health}})
async def health(request: Request, response: Response) -> Health:
    """200 whatever the model is doing; 503 once it hangs and only a new process can help."""
    state = request.app.state
    service: Service = state.service
    settings: Settings = state.settings
    status = service.status
    if service.hung:
        response.status_code = 503
    return Health(
        ready=status.reason is None,
        reason=status.reason,
        version=__version__,
        engine=service.choice.engine,
        engine_reason=service.choice.reason,
        model=ModelOut.of(status.screener) if status.screener else None,
        limits=Limits(
            max_bytes=settings.max_bytes, max_pixels=settings.max_pixels, formats=list(FORMATS)
        ),
        warnings=[
            *(status.screener.warnings if status.screener else ()),
            *state.journal.warnings(),
            *state.authenticator.warnings(),
        ],
        uptime_seconds=round(time.monotonic() - state.started, 1),
    )


@router.get("/ready", responses=documented(errors.ModelNotReady, errors.ModelUnavailable))
async def ready(request: Request) -> Readiness:
    """200 once a real inference on a known input has succeeded; 503 with the reason before."""
    service: Service = request.app.state.service
    if (error := await service.readiness_error()) is not None:
        raise error
    return Readiness()


@router.get("/metrics", include_in_schema=False)
async def metrics(request: Request) -> Response:
    """Prometheus' text format, or OpenMetrics where `Accept` asks for it."""
    encode, media_type = choose_encoder(request.headers.get("accept", ""))
    app_metrics: Metrics = request.app.state.metrics
    return Response(encode(app_metrics.registry), media_type=media_type)


_UPLOAD: dict[str, Any] = {
    "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": FORM_SCHEMA}}},
    "parameters": [
        {
            "name": TIMEOUT_HEADER,
            "in": "header",
            "required": False,
            "schema": {"type": "number", "exclusiveMinimum": 0},
            "description": "Seconds after which the answer is of no use; work on it stops then.",
        }
    ],
}
_REFUSALS = documented(
    errors.MalformedForm,
    errors.UploadNotMultipart,
    errors.NotAnImage,
    errors.UnsupportedFormat,
    errors.PageNotFound,
    errors.MissingField,
    errors.InvalidField,
    errors.RepeatedField,
    errors.UnknownField,
    errors.UnknownParameter,
    errors.BodyEncoded,
    errors.EmptyFile,
    errors.TruncatedImage,
    errors.TooManyBytes,
    errors.TooManyPixels,
    errors.ImageTooCostly,
    errors.ImageNotAssessable,
    errors.ModelNotReady,
    errors.ModelUnavailable,
    errors.ModelUnsound,
    errors.UpstreamError,
    errors.UpstreamUnreachable,
    errors.UpstreamBusy,
    errors.UpstreamKeyRejected,
    errors.UpstreamModelUnknown,
    errors.UpstreamUnsuited,
    errors.UpstreamChanged,
    errors.InvalidTimeout,
    errors.QueueFull,
    errors.UploadsFull,
    errors.DeadlineExceeded,
    errors.EngineFailed,
    errors.EngineOutOfMemory,
    errors.EngineHung,
    errors.OutOfMemory,
    errors.ImageReaderLost,
    errors.AuditUnavailable,
    errors.AuditOutdated,
    errors.ShuttingDown,
    errors.RateLimited,
    *REFUSALS,
)


@router.post(
    "/predict",
    responses={200: {"model": Prediction, "content": EVENTS}, **_REFUSALS},
    openapi_extra=_UPLOAD,
    response_model=None,
)
async def predict(request: Request) -> Response:
    """Is colorectal cancer present in this tile?

    Where `Accept` prefers `text/event-stream` the verdict is sent as soon as it is known, and the
    explanation after it, piece by piece. A full queue is a 429 that says when to come again.
    """
    service: Service = request.app.state.service
    with ExitStack() as held:
        received = await receive_request(request, service, request.app.state.settings, held)
        if prefers(request, "text/event-stream"):
            return Events(answer_in_events(service, received), held.pop_all())
        prediction = await answer(request, service, received)
        return Response(prediction.model_dump_json(), media_type="application/json")


async def answer(request: Request, service: Service, received: PredictRequest) -> Prediction:
    screening = await cancel_on_disconnect(
        request, service.screen(received.job, received.loaded.tile)
    )
    recorded = await received.record(screening)
    timings = {**received.timings, "total": time.perf_counter() - received.began}
    return Prediction.finished(
        received.screener, screening, received.loaded, received.request_id, timings, recorded
    )


def prefers(request: Request, offered: str, default: str = JSON) -> bool:
    """Whether `Accept` (RFC 9110, 12.5.1) prefers `offered` to `default`. A tie goes to `offered`
    where it is named, not only matched by */*; where neither is acceptable, to `default`."""
    ranges = list(_ranges(request.headers.getlist("accept")))
    quality, fitness = mimeparse.quality_and_fitness_parsed(offered, ranges)
    other_quality, other_fitness = mimeparse.quality_and_fitness_parsed(default, ranges)
    if quality != other_quality:
        return bool(quality > other_quality)
    return bool(quality > 0 and fitness > NAMED and fitness >= other_fitness)


def _ranges(headers: Iterable[str]) -> Iterable[MediaRange]:
    """The parts of `Accept` that can be parsed."""
    for header in headers:
        for part in header.lower().split(","):
            try:
                yield mimeparse.parse_media_range(part)
            except mimeparse.MimeTypeParseException:
                continue
