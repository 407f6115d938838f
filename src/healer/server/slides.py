"""The HTTP contract of slides: `/slides` and what lies below it. Add fields, never rename."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import anyio.to_thread
from anyio import CapacityLimiter
from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sse_starlette import EventSourceResponse, ServerSentEvent

from healer import errors
from healer.server.middleware.access import REFUSALS
from healer.server.problems import documented
from healer.server.reviews import read_json_body

if TYPE_CHECKING:
    from healer.server.service import Service
    from healer.worklist.worklist import Worklist

THREADS = CapacityLimiter(8)  # so that pictures of slides never hold all threads of the server
GEOJSON, PARQUET = "application/geo+json", "application/vnd.apache.parquet"
CACHED = {"Cache-Control": "private, max-age=300"}
ENDED = {"read": "finished", "failed": "failed"}  # the event that says so
State = Literal["unread", "queued", "reading", "read", "stale", "failed", "cancelled"]
Json = dict[str, Any]
Result = TypeVar("Result")
Body = TypeVar("Body", bound=BaseModel)

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
)


class ReadingRequest(BaseModel):
    """`mpp` takes the place of what the slide states."""

    model_config = ConfigDict(extra="forbid")

    # Strict: `true` would be read as 1 µm a pixel.
    mpp: float | None = Field(
        default=None, ge=0.05, le=20, strict=True, description="Micrometres per pixel."
    )


class ReadAllRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    states: list[Literal["unread", "stale", "cancelled", "failed", "read"]] = Field(
        default=["unread", "stale", "cancelled", "failed"], description="Slides in these states."
    )


class PauseRequest(BaseModel):
    model_config = ConfigDict(extra="forbid")

    paused: bool = Field(strict=True)


class Queued(BaseModel):
    queued: int


class Paused(BaseModel):
    paused: bool


class Cancelled(BaseModel):
    cancelled: int


def worklist_of(request: Request) -> Worklist:
    """Raises SlidesOff."""
    worklist: Worklist | None = request.app.state.worklist
    if worklist is None:
        raise errors.SlidesOff
    return worklist


def is_named(request: Request) -> bool:
    """Whether the caller may know what slides are called: not where anyone may ask."""
    return bool(request.app.state.settings.unauthenticated != "anyone-may-ask")


async def in_thread(step: Callable[[], Result]) -> Result:
    return await anyio.to_thread.run_sync(step, limiter=THREADS)


@slides_router.get("")
async def list_slides(
    request: Request,
    state: State | None = None,
    verdict: Literal["yes", "no", "indeterminate"] | None = None,
    case: str | None = None,
    review: Literal["agree", "disagree", "none"] | None = None,
    sort: Literal["risk", "name", "case"] = "risk",
    page: int = Query(default=1, ge=1, le=1_000_000),
    per_page: int = Query(default=50, ge=1, le=500),
) -> Json:
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
    return await in_thread(lambda: worklist.page(query, named=named))


@slides_router.post("/reading", status_code=HTTPStatus.ACCEPTED)
async def read_all(request: Request) -> Queued:
    """Have every slide read that is in one of `states`; the body may be left out."""
    worklist = worklist_of(request)
    wanted = await _body(request, ReadAllRequest)
    return Queued(queued=await in_thread(lambda: worklist.submit_all(wanted.states)))


@slides_router.patch("/reading")
async def pause(request: Request) -> Paused:
    """Pause, or go on. What was read of a slide stays."""
    worklist = worklist_of(request)
    wanted = await _body(request, PauseRequest)
    await in_thread(lambda: worklist.readings.pause(wanted.paused))
    return Paused(paused=wanted.paused)


@slides_router.delete("/reading")
async def cancel_all(request: Request) -> Cancelled:
    """Cancel all that wait, and the slide that is being read."""
    worklist = worklist_of(request)
    return Cancelled(cancelled=await in_thread(worklist.readings.cancel_all))


@slides_router.get("/reviews.csv", response_class=Response)
async def reviews_csv(request: Request) -> Response:
    """Every review of a slide or region, with what was answered."""
    worklist, named = worklist_of(request), is_named(request)
    text = await in_thread(lambda: worklist.reviews_csv(named=named))
    return _file(text.encode("utf-8-sig"), "text/csv", "healer-slide-reviews.csv")


@slides_router.get("/{slide_id}.dzi", response_class=Response)
async def pyramid(request: Request, slide_id: str) -> Response:
    """The slide as a Deep Zoom pyramid."""
    worklist = worklist_of(request)
    xml = await in_thread(lambda: worklist.pyramid(slide_id).as_xml("jpeg"))
    return Response(xml, media_type="application/xml")


@slides_router.get("/{slide_id}_files/{level}/{column}_{row}.jpeg", response_class=Response)
async def picture(request: Request, slide_id: str, level: int, column: int, row: int) -> Response:
    """One picture of the pyramid; grey where the slide cannot be read."""
    worklist = worklist_of(request)
    data = await in_thread(lambda: worklist.picture(slide_id, level, column, row))
    return Response(data, media_type="image/jpeg", headers=CACHED)


@slides_router.get("/{slide_id}/map.dzi", response_class=Response)
async def map_pyramid(request: Request, slide_id: str) -> Response:
    """The map as a pyramid that lies exactly over the slide's; also while the slide is read."""
    worklist = worklist_of(request)
    await in_thread(lambda: worklist.tiles(slide_id))
    xml = await in_thread(lambda: worklist.pyramid(slide_id).as_xml("png"))
    return Response(xml, media_type="application/xml")


@slides_router.get("/{slide_id}/map_files/{level}/{column}_{row}.png", response_class=Response)
async def map_picture(
    request: Request, slide_id: str, level: int, column: int, row: int
) -> Response:
    """One picture of the map, clear where nothing was read."""
    worklist = worklist_of(request)
    data = await in_thread(lambda: worklist.map_picture(slide_id, level, column, row))
    return Response(data, media_type="image/png")


@slides_router.get("/{slide_id}/thumbnail.jpeg", response_class=Response)
async def thumbnail(request: Request, slide_id: str) -> Response:
    worklist = worklist_of(request)
    data = await in_thread(lambda: worklist.thumbnail(slide_id))
    return Response(data, media_type="image/jpeg", headers=CACHED)


@slides_router.get("/{slide_id}")
async def slide(request: Request, slide_id: str) -> Json:
    """One slide: its line in the worklist, its levels, its answer and its reviews."""
    worklist, named = worklist_of(request), is_named(request)
    return await in_thread(lambda: worklist.detail(slide_id, named=named))


@slides_router.post(
    "/{slide_id}/reading",
    status_code=HTTPStatus.ACCEPTED,
    responses=documented(errors.SlideBeingRead),
)
async def start_reading(request: Request, slide_id: str) -> Json:
    """Have the slide read. What an earlier reading of the same model has read stays."""
    worklist, named = worklist_of(request), is_named(request)
    wanted = await _body(request, ReadingRequest)
    return await in_thread(lambda: worklist.submit(slide_id, wanted.mpp, named=named))


@slides_router.delete("/{slide_id}/reading", responses=documented(errors.SlideNotBeingRead))
async def cancel_reading(request: Request, slide_id: str) -> Json:
    """Stop reading. What was read stays, and a new start goes on from there."""
    worklist, named = worklist_of(request), is_named(request)
    return await in_thread(lambda: worklist.cancel(slide_id, named=named))


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


@slides_router.get("/{slide_id}/regions")
async def regions(request: Request, slide_id: str) -> Json:
    """The regions that were found, also while the slide is read."""
    worklist = worklist_of(request)
    return {"regions": await in_thread(lambda: worklist.regions(slide_id))}


@slides_router.get("/{slide_id}/tile", responses=documented(errors.NoTileHere))
async def tile(
    request: Request,
    slide_id: str,
    x: int = Query(ge=-(2**31), lt=2**31, description="In level-0 pixels."),
    y: int = Query(ge=-(2**31), lt=2**31, description="In level-0 pixels."),
) -> Json:
    """What was read at a place."""
    worklist = worklist_of(request)
    return await in_thread(lambda: worklist.tile(slide_id, x, y))


@slides_router.get("/{slide_id}/reviews")
async def reviews(request: Request, slide_id: str) -> Json:
    """What readers said of the slide, oldest first."""
    worklist = worklist_of(request)
    return {"reviews": await in_thread(lambda: worklist.reviews_json(slide_id))}


@slides_router.get(
    "/{slide_id}/regions.geojson",
    response_class=Response,
    responses=documented(errors.SlideNotRead),
)
async def regions_geojson(request: Request, slide_id: str) -> Response:
    """The regions, for QuPath."""
    return await _stored(request, slide_id, "regions.geojson", GEOJSON)


@slides_router.get(
    "/{slide_id}/unread.geojson",
    response_class=Response,
    responses=documented(errors.SlideNotRead),
)
async def unread_geojson(request: Request, slide_id: str) -> Response:
    """Outlines of the tissue that was not read, and why."""
    return await _stored(request, slide_id, "unread.geojson", GEOJSON)


@slides_router.get(
    "/{slide_id}/tiles.parquet",
    response_class=Response,
    responses=documented(errors.SlideNotRead),
)
async def tiles_parquet(request: Request, slide_id: str) -> Response:
    """A row for each tile."""
    return await _stored(request, slide_id, "tiles.parquet", PARQUET)


@slides_router.get(
    "/{slide_id}/report.pdf",
    response_class=Response,
    responses=documented(errors.SlideNotRead),
)
async def report_pdf(request: Request, slide_id: str) -> Response:
    """The report, with what readers said of the slide."""
    worklist, named = worklist_of(request), is_named(request)
    data = await in_thread(lambda: worklist.report(slide_id, named=named))
    return _file(data, "application/pdf", f"healer-{slide_id}.pdf")


async def _stored(request: Request, slide_id: str, name: str, media_type: str) -> Response:
    worklist = worklist_of(request)
    data = await in_thread(lambda: worklist.stored(slide_id, name))
    return _file(data, media_type, f"healer-{slide_id}-{name}")


def _file(data: bytes, media_type: str, name: str) -> Response:
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return Response(data, media_type=media_type, headers=headers)


async def _body(request: Request, kind: type[Body]) -> Body:
    """An empty body stands for `{}`. Raises SlideRequestUnreadable, in words that repeat nothing
    of it."""
    data = await read_json_body(request)
    try:
        return kind.model_validate_json(data or b"{}")
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = str(first["loc"][0]) if first["loc"] else "the body"
        known = where if where in kind.model_fields else "a field"
        raise errors.SlideRequestUnreadable(f"{known}: {first['msg']}") from None
