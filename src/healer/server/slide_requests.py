"""What every route of `/slides` begins with."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import anyio.to_thread
from anyio import CapacityLimiter
from fastapi import Request
from fastapi.routing import APIRoute
from pydantic import BaseModel

from healer import errors
from healer.server.bodies import parsed, read_json_body

if TYPE_CHECKING:
    from healer.worklist.worklist import Worklist

THREADS = CapacityLimiter(8)  # so that pictures of slides never hold all threads of the server
Result = TypeVar("Result")
Body = TypeVar("Body", bound=BaseModel)


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


def refuse_unknown_query(request: Request) -> None:
    """A parameter that is misspelt would filter nothing, and of two the last would be taken.
    Raises SlideRequestUnreadable."""
    route: APIRoute = request.scope["route"]
    known = [each.alias for each in route.dependant.query_params]
    sent = [name for name, _ in request.query_params.multi_items()]
    if not sent or (len(set(sent)) == len(sent) and set(sent) <= set(known)):
        return
    if not known:
        raise errors.SlideRequestUnreadable("no parameter is read behind the question mark here")
    raise errors.SlideRequestUnreadable(
        "behind the question mark a parameter is not known or stands there twice; known are "
        + ", ".join(known)
    )


async def body_of(request: Request, kind: type[Body]) -> Body:
    """An empty body stands for `{}`. Raises TooManyBytes and SlideRequestUnreadable."""
    data = await read_json_body(request)
    content_type = request.headers.get("content-type", "") if data else "application/json"
    return parsed(kind, content_type, data or b"{}", errors.SlideRequestUnreadable)
