"""Pictures and files of slides: pyramids, maps, thumbnails, and what other programs open."""

from __future__ import annotations

from fastapi import APIRouter, Query, Request, Response

from healer import errors
from healer.server.problems import documented
from healer.server.slide_requests import in_thread, is_named, worklist_of

GEOJSON, PARQUET = "application/geo+json", "application/vnd.apache.parquet"
CACHED = {"Cache-Control": "private, max-age=300"}
VERSION = Query(default=None, description="Ignored: a map that grows is fetched again.")

slide_files_router = APIRouter()


@slide_files_router.get("/reviews.csv", response_class=Response)
async def reviews_csv(request: Request) -> Response:
    """Every review of a slide or region, with what was answered."""
    worklist, named = worklist_of(request), is_named(request)
    text = await in_thread(lambda: worklist.reviews_csv(named=named))
    return _file(text.encode("utf-8-sig"), "text/csv", "healer-slide-reviews.csv")


@slide_files_router.get("/{slide_id}.dzi", response_class=Response)
async def pyramid(request: Request, slide_id: str) -> Response:
    """The slide as a Deep Zoom pyramid."""
    worklist = worklist_of(request)
    xml = await in_thread(lambda: worklist.pyramid(slide_id).as_xml("jpeg"))
    return Response(xml, media_type="application/xml")


@slide_files_router.get("/{slide_id}_files/{level}/{column}_{row}.jpeg", response_class=Response)
async def picture(request: Request, slide_id: str, level: int, column: int, row: int) -> Response:
    """One picture of the pyramid; grey where the slide cannot be read."""
    worklist = worklist_of(request)
    data = await in_thread(lambda: worklist.picture(slide_id, level, column, row))
    return Response(data, media_type="image/jpeg", headers=CACHED)


@slide_files_router.get("/{slide_id}/map.dzi", response_class=Response)
async def map_pyramid(
    request: Request,
    slide_id: str,
    v: str | None = VERSION,  # noqa: ARG001
) -> Response:
    """The map as a pyramid that lies exactly over the slide's; also while the slide is read."""
    worklist = worklist_of(request)
    await in_thread(lambda: worklist.tiles(slide_id))
    xml = await in_thread(lambda: worklist.pyramid(slide_id).as_xml("png"))
    return Response(xml, media_type="application/xml")


@slide_files_router.get("/{slide_id}/map_files/{level}/{column}_{row}.png", response_class=Response)
async def map_picture(
    request: Request,
    slide_id: str,
    level: int,
    column: int,
    row: int,
    v: str | None = VERSION,  # noqa: ARG001
) -> Response:
    """One picture of the map, clear where nothing was read."""
    worklist = worklist_of(request)
    data = await in_thread(lambda: worklist.map_picture(slide_id, level, column, row))
    return Response(data, media_type="image/png")


@slide_files_router.get("/{slide_id}/thumbnail.jpeg", response_class=Response)
async def thumbnail(request: Request, slide_id: str) -> Response:
    worklist = worklist_of(request)
    data = await in_thread(lambda: worklist.thumbnail(slide_id))
    return Response(data, media_type="image/jpeg", headers=CACHED)


@slide_files_router.get(
    "/{slide_id}/regions.geojson",
    response_class=Response,
    responses=documented(errors.SlideNotRead),
)
async def regions_geojson(request: Request, slide_id: str) -> Response:
    """The regions, for QuPath."""
    return await _stored(request, slide_id, "regions.geojson", GEOJSON)


@slide_files_router.get(
    "/{slide_id}/unread.geojson",
    response_class=Response,
    responses=documented(errors.SlideNotRead),
)
async def unread_geojson(request: Request, slide_id: str) -> Response:
    """Outlines of the tissue that was not read, and why."""
    return await _stored(request, slide_id, "unread.geojson", GEOJSON)


@slide_files_router.get(
    "/{slide_id}/tiles.parquet",
    response_class=Response,
    responses=documented(errors.SlideNotRead),
)
async def tiles_parquet(request: Request, slide_id: str) -> Response:
    """A row for each tile."""
    return await _stored(request, slide_id, "tiles.parquet", PARQUET)


@slide_files_router.get(
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
