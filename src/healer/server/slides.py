"""The HTTP contract of slides: `/slides` and what lies below it. Add fields, never rename."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator
from functools import partial
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.responses import JSONResponse

from healer import errors
from healer.server.middleware.access import REFUSALS
from healer.server.problems import documented
from healer.server.scope import caller_of
from healer.server.slide_files import slide_files_router
from healer.server.slide_models import (
    SlideDetail,
    SlideList,
    SlideRegions,
    SlideReviews,
    SlideSummary,
    SlideTile,
    State,
)
from healer.server.slide_requests import (
    body_of,
    in_thread,
    is_named,
    refuse_unknown_query,
    worklist_of,
)

if TYPE_CHECKING:
    from healer.server.service import Service
    from healer.worklist.worklist import Worklist

ENDED = {"read": "finished", "failed": "failed"}  # the event that says so
slides_router = APIRouter(
    prefix="/slides",
    tags=["slides"],
    responses=documented(
        errors.SlidesOff,
        errors.SlideUnknown,
        errors.SlideRequestUnreadable,
        errors.SlideError,
        errors.ResultsUnusable,
        errors.ShuttingDown,
        *REFUSALS,
    ),
    dependencies=[Depends(refuse_unknown_query)],
)
slides_router.include_router(slide_files_router)  # first: `/{slide_id}` would take `/ID.dzi` too


class ReadingRequest(BaseModel):
    """`mpp` takes the place of what the slide states."""

    model_config = ConfigDict(extra="forbid")

    # Strict: `true` would be read as 1 µm a pixel.
    mpp: float | None = Field(
        default=None, ge=0.1, le=20, strict=True, description="Micrometres per pixel."
    )


class ReadAllRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    states: list[Literal["unread", "stale", "cancelled", "failed", "read"]] = Field(
        default=["unread", "stale", "cancelled", "failed"], description="Slides in these states."
    )
    mpp: float | None = Field(
        default=None,
        ge=0.1,
        le=20,
        strict=True,
        description="Micrometres per pixel; where given, for those alone that state none.",
    )


class PauseRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    paused: bool = Field(strict=True)


def _answers(kind: type[BaseModel], status: HTTPStatus = HTTPStatus.OK) -> dict[int | str, Any]:
    return {int(status): {"model": kind, "description": status.phrase}}


def _takes(kind: type[BaseModel]) -> dict[str, Any]:
    content = {"application/json": {"schema": kind.model_json_schema()}}
    required = any(field.is_required() for field in kind.model_fields.values())
    return {"requestBody": {"content": content, "required": required}}


class Queued(BaseModel):
    queued: int


class Paused(BaseModel):
    paused: bool


class Cancelled(BaseModel):
    cancelled: int


@slides_router.get("", responses=_answers(SlideList))
async def list_slides(
    request: Request,
    state: State | None = None,
    verdict: Literal["yes", "no", "indeterminate"] | None = None,
    case: str | None = None,
    review: Literal["agree", "disagree", "none"] | None = None,
    sort: Literal["risk", "name", "case"] = "risk",
    page: int = Query(default=1, ge=1, le=1_000_000),
    per_page: int = Query(default=50, ge=1, le=500),
) -> JSONResponse:
    """A page of the folder's slides, the most suspicious first. No slide is opened for it."""
    worklist, named = worklist_of(request), is_named(request)
    query = worklist.query(
        state=state,
        verdict=verdict,
        case=case,
        review=review,
        sort=sort,
        page=page,
        per_page=per_page,
    )
    return JSONResponse(await in_thread(lambda: worklist.page(query, named=named)))


@slides_router.post(
    "/reading", status_code=HTTPStatus.ACCEPTED, openapi_extra=_takes(ReadAllRequest)
)
async def read_all(request: Request) -> Queued:
    """Have every slide read that is in one of `states`; the body may be left out."""
    worklist = worklist_of(request)
    wanted, by = await body_of(request, ReadAllRequest), caller_of(request)
    return Queued(
        queued=await in_thread(lambda: worklist.submit_all(wanted.states, wanted.mpp, by))
    )


@slides_router.patch("/reading", openapi_extra=_takes(PauseRequest))
async def pause(request: Request) -> Paused:
    """Pause, or go on. What was read of a slide stays."""
    worklist = worklist_of(request)
    wanted = await body_of(request, PauseRequest)
    await in_thread(lambda: worklist.readings.pause(wanted.paused))
    return Paused(paused=wanted.paused)


@slides_router.delete("/reading")
async def cancel_all(request: Request) -> Cancelled:
    """Cancel all that wait, and the slide that is being read."""
    worklist = worklist_of(request)
    return Cancelled(cancelled=await in_thread(worklist.readings.cancel_all))


@slides_router.get("/events", response_class=EventSourceResponse)
async def list_events(request: Request) -> EventSourceResponse:
    """Server-sent events: `list` at once and after every change, at most two a second.

    Its `slides` are the ids of those that changed, null where any may have; `reading` is the slide
    that is being read, with its progress; `queue` is as in the list."""
    worklist = worklist_of(request)
    service: Service = request.app.state.service
    return EventSourceResponse(_list_followed(worklist, service))


async def _list_followed(
    worklist: Worklist, service: Service
) -> AsyncGenerator[ServerSentEvent, None]:
    with worklist.feed.follow_list() as following:
        yield _event("list", await in_thread(worklist.news))
        async for changed in following.changes():
            if service.stopping:
                return
            if changed is not None:
                yield _event("list", await in_thread(partial(worklist.news, changed)))


@slides_router.get("/{slide_id}", responses=_answers(SlideDetail))
async def slide(request: Request, slide_id: str) -> JSONResponse:
    """One slide: its line in the worklist, its levels, its answer and its reviews."""
    worklist, named = worklist_of(request), is_named(request)
    return JSONResponse(await in_thread(lambda: worklist.detail(slide_id, named=named)))


@slides_router.post(
    "/{slide_id}/reading",
    status_code=HTTPStatus.ACCEPTED,
    openapi_extra=_takes(ReadingRequest),
    responses=documented(errors.SlideBeingRead) | _answers(SlideSummary, HTTPStatus.ACCEPTED),
)
async def start_reading(request: Request, slide_id: str) -> JSONResponse:
    """Have the slide read. What an earlier reading of the same model has read stays."""
    worklist, named = worklist_of(request), is_named(request)
    wanted, by = await body_of(request, ReadingRequest), caller_of(request)
    summary = await in_thread(lambda: worklist.submit(slide_id, wanted.mpp, by, named=named))
    return JSONResponse(summary, HTTPStatus.ACCEPTED)


@slides_router.delete(
    "/{slide_id}/reading",
    responses=documented(errors.SlideNotBeingRead) | _answers(SlideSummary),
)
async def cancel_reading(request: Request, slide_id: str) -> JSONResponse:
    """Stop reading. What was read stays, and a new start goes on from there."""
    worklist, named = worklist_of(request), is_named(request)
    return JSONResponse(await in_thread(lambda: worklist.cancel(slide_id, named=named)))


@slides_router.get("/{slide_id}/events", response_class=EventSourceResponse)
async def events(request: Request, slide_id: str) -> EventSourceResponse:
    """Server-sent events: `state`, `progress`, `map`, `regions`, then `finished` or `failed`."""
    worklist, named = worklist_of(request), is_named(request)
    await in_thread(lambda: worklist.catalogue.entry(slide_id))
    service: Service = request.app.state.service
    return EventSourceResponse(_followed(worklist, service, slide_id, named=named))


async def _followed(
    worklist: Worklist, service: Service, slide_id: str, *, named: bool
) -> AsyncGenerator[ServerSentEvent, None]:
    async def current(name: str) -> ServerSentEvent:
        summary = await in_thread(lambda: worklist.summary(slide_id, named=named))
        return _event(name, summary["problem"] if name == "failed" else summary)

    with worklist.feed.follow(slide_id) as following:
        state = (await in_thread(lambda: worklist.summary(slide_id, named=named)))["state"]
        yield await current(ENDED.get(state, "state"))
        if state not in ("queued", "reading"):
            return
        for name, data in worklist.known_so_far(slide_id):
            yield _event(name, data)
        async for event in following.events():
            if service.stopping:
                return
            if event is not None:
                yield _event(event.name, event.data) if event.data else await current(event.name)


def _event(name: str, data: object) -> ServerSentEvent:
    return ServerSentEvent(event=name, data=json.dumps(data))


@slides_router.get("/{slide_id}/regions", responses=_answers(SlideRegions))
async def regions(request: Request, slide_id: str) -> JSONResponse:
    """The regions that were found, also while the slide is read."""
    worklist = worklist_of(request)
    found = await in_thread(lambda: worklist.regions(slide_id))
    return JSONResponse({"regions": list(found)})


@slides_router.get(
    "/{slide_id}/tile", responses=documented(errors.NoTileHere) | _answers(SlideTile)
)
async def tile(
    request: Request,
    slide_id: str,
    x: int = Query(ge=-(2**31), lt=2**31, description="In level-0 pixels."),
    y: int = Query(ge=-(2**31), lt=2**31, description="In level-0 pixels."),
) -> JSONResponse:
    """What was read at a place."""
    worklist = worklist_of(request)
    return JSONResponse(await in_thread(lambda: worklist.tile(slide_id, x, y)))


@slides_router.get("/{slide_id}/reviews", responses=_answers(SlideReviews))
async def reviews(request: Request, slide_id: str) -> JSONResponse:
    """What readers said of the slide, oldest first."""
    worklist = worklist_of(request)
    said = await in_thread(lambda: worklist.reviews_json(slide_id))
    return JSONResponse({"reviews": list(said)})
