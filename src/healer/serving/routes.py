"""The HTTP contract: `/`, `/health`, `/ready`, `/predict`."""

from __future__ import annotations

import time
from typing import Annotated, Any, cast, get_args

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import JSONResponse
from sse_starlette import EventSourceResponse
from starlette.concurrency import run_in_threadpool

from healer import __version__, errors
from healer.audit.journal import Journal
from healer.config import GateMode, Settings
from healer.imaging.decode import FORMATS
from healer.screening.admission import admit
from healer.serving import browser
from healer.serving.events import EVENTS, answer_in_events
from healer.serving.identity import request_id_of
from healer.serving.problems import documented
from healer.serving.recording import Recording, caller_of
from healer.serving.schemas import Health, Limits, ModelOut, Prediction, Readiness, Welcome
from healer.serving.service import Service
from healer.serving.upload import read_upload

FIELD = "image_file"

router = APIRouter()


def service_of(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def settings_of(request: Request) -> Settings:
    settings: Settings = request.app.state.settings
    return settings


TheService = Annotated[Service, Depends(service_of)]
TheSettings = Annotated[Settings, Depends(settings_of)]


@router.get(
    "/",
    response_model=Welcome,
    responses={200: {"content": {"text/html": {"schema": {"type": "string"}}}}},
)
async def root(request: Request) -> Response:
    """The page for browsers; a short description otherwise."""
    if "text/html" in request.headers.get("accept", ""):
        return browser.page()
    return JSONResponse(Welcome(version=__version__).model_dump(), headers={"Vary": "Accept"})


@router.get("/health")
async def health(request: Request, service: TheService, settings: TheSettings) -> Health:
    """Answers 200 while the process lives, whatever the model is doing."""
    status = service.status
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
            *request.app.state.journal.warnings(),
        ],
        uptime_seconds=round(time.monotonic() - request.app.state.started, 1),
    )


@router.get("/ready", responses=documented(errors.ModelNotReady))
async def ready(service: TheService) -> Readiness:
    """200 once a real inference on a known input has succeeded; 503 with the reason before."""
    if (reason := await service.trouble()) is not None:
        raise errors.ModelNotReady(reason)
    return Readiness()


_FORM: dict[str, Any] = {
    "type": "object",
    "required": [FIELD],
    "properties": {
        FIELD: {
            "type": "string",
            "format": "binary",
            "description": "One H&E tile: PNG, JPEG, TIFF, WebP or BMP.",
        },
        "gate": {
            "type": "string",
            "enum": list(get_args(GateMode)),
            "description": "What to do with a picture that is no assessable H&E field; the "
            "default is the operator's (HEALER_GATE).",
        },
    },
}
_UPLOAD = {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": _FORM}}}}
_REFUSALS = documented(
    errors.MalformedForm,
    errors.UploadNotMultipart,
    errors.NotAnImage,
    errors.UnsupportedFormat,
    errors.MissingField,
    errors.InvalidField,
    errors.EmptyFile,
    errors.TruncatedImage,
    errors.TooManyBytes,
    errors.TooManyPixels,
    errors.ImageNotAssessable,
    errors.ModelNotReady,
    errors.ModelUnsound,
    errors.AuditUnavailable,
    errors.AuditOutdated,
    errors.ShuttingDown,
)


def gate_mode(asked: str | None, settings: Settings) -> GateMode:
    """The caller's wish, or the operator's default."""
    if asked is None:
        return settings.gate
    for mode in get_args(GateMode):
        if asked == mode:
            return cast(GateMode, mode)
    raise errors.InvalidField("gate", ", ".join(get_args(GateMode)))


@router.post(
    "/predict",
    responses={200: {"model": Prediction, "content": EVENTS}, **_REFUSALS},
    openapi_extra=_UPLOAD,
    response_model=None,
)
async def predict(
    request: Request, service: TheService, settings: TheSettings
) -> Prediction | Response:
    """Is colorectal cancer present in this tile?

    With `Accept: text/event-stream` the verdict is sent as soon as it is known, and the
    explanation after it, piece by piece.
    """
    started = time.perf_counter()
    upload = await read_upload(request, FIELD, settings.max_bytes)
    mode = gate_mode(upload.fields.get("gate"), settings)
    timings = {"receive": time.perf_counter() - started}
    screener = service.screener
    admitted = await run_in_threadpool(admit, upload.data, mode, settings.max_pixels)
    timings |= admitted.timings
    request_id = request_id_of(request)
    journal: Journal = request.app.state.journal
    recording = Recording(journal, screener, admitted, upload.data, request_id, caller_of(request))
    if "text/event-stream" in request.headers.get("accept", ""):
        return EventSourceResponse(answer_in_events(service, recording, timings))
    screening = await service.screen(admitted.tile)
    recorded = await recording.of(screening.verdict, screening.margin, screening.mass)
    timings["total"] = time.perf_counter() - started
    return Prediction.finished(screener, screening, admitted, request_id, timings, recorded)
