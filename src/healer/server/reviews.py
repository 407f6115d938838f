"""`POST /reviews`: a reviewer's word on an answer, for the audit log."""

from __future__ import annotations

import json
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field, ValidationError
from starlette.concurrency import run_in_threadpool

from healer import errors
from healer.audit.records import Opinion
from healer.server.middleware.access import REFUSALS
from healer.server.problems import documented
from healer.server.requests import refuse_modified
from healer.server.scope import caller_of

if TYPE_CHECKING:
    from healer.audit.journal import Journal

LIMIT_BYTES = 16 * 1024

reviews_router = APIRouter()


class ReviewOut(BaseModel):
    """The review is in the log."""

    request_id: str = Field(description="Of the answer.")
    record: str = Field(description="The hash of the review's record.")


_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {"application/json": {"schema": Opinion.model_json_schema()}},
    }
}


@reviews_router.post(
    "/reviews",
    status_code=HTTPStatus.CREATED,
    openapi_extra=_BODY,
    responses=documented(
        errors.ReviewUnreadable,
        errors.UnknownParameter,
        errors.BodyEncoded,
        errors.TooManyBytes,
        errors.AnswerUnknown,
        errors.AuditOff,
        errors.AuditUnavailable,
        errors.AuditOutdated,
        errors.ShuttingDown,
        *REFUSALS,
    ),
)
async def review(request: Request) -> ReviewOut:
    """Keep whether a reviewer agrees with an answer. Nothing is ever altered: a second review of
    the same answer stands beside the first."""
    refuse_modified(request, Opinion.model_fields)
    opinion = opinion_in(request.headers.get("content-type", ""), await read_json_body(request))
    journal: Journal = request.app.state.journal
    record = await run_in_threadpool(journal.review, opinion, caller_of(request))
    return ReviewOut(request_id=opinion.request_id, record=record)


def opinion_in(content_type: str, body: bytes) -> Opinion:
    """Raises ReviewUnreadable, in words that repeat nothing of the body."""
    # A page elsewhere can make a browser send any type but this one unasked.
    if content_type.split(";")[0].strip().lower() != "application/json":
        raise errors.ReviewUnreadable("its content type is not application/json")
    try:
        refuse_repeated(body)
        return Opinion.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = str(first["loc"][0]) if first["loc"] else "the body"
        known = where if where in (*Opinion.model_fields, "the body") else "a field"
        raise errors.ReviewUnreadable(f"{known}: {first['msg']}") from None


def refuse_repeated(body: bytes) -> None:
    """Raises ReviewUnreadable where a field stands there twice: JSON's readers take the last."""

    def unrepeated(pairs: list[tuple[str, object]]) -> dict[str, object]:
        named = dict(pairs)
        if len(named) < len(pairs):
            raise errors.ReviewUnreadable("a field stands there more than once")
        return named

    with suppress(ValueError, RecursionError):  # pydantic reports what is no JSON
        json.loads(body, object_pairs_hook=unrepeated)


async def read_json_body(request: Request) -> bytes:
    """Raises TooManyBytes."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LIMIT_BYTES:
            raise errors.TooManyBytes(LIMIT_BYTES)
    return body
