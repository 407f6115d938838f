"""`POST /reviews`: a reviewer's word on an answer, for the audit log."""

from __future__ import annotations

import json
from contextlib import suppress
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from healer import errors
from healer.audit.records import Opinion, SlideOpinion
from healer.server.bodies import parsed, read_json_body
from healer.server.middleware.access import REFUSALS
from healer.server.problems import documented
from healer.server.requests import refuse_modified
from healer.server.scope import caller_of

if TYPE_CHECKING:
    from healer.audit.journal import Journal
    from healer.worklist.worklist import Worklist

reviews_router = APIRouter()


class ReviewOut(BaseModel):
    """The review is in the log."""

    request_id: str = Field(description="Of the answer.")
    record: str = Field(description="The hash of the review's record.")


_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {"oneOf": [Opinion.model_json_schema(), SlideOpinion.model_json_schema()]}
            }
        },
    }
}


class SlideReviewOut(BaseModel):
    """The review is kept."""

    slide: str
    region: int | None
    record: str | None = Field(description="The hash of its record, where an audit log is kept.")


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
        errors.SlidesOff,
        errors.SlideUnknown,
        errors.SlideNotRead,
        errors.SlideRequestUnreadable,
        errors.ResultsUnusable,
        errors.AuditOff,
        errors.AuditUnavailable,
        errors.AuditOutdated,
        errors.ShuttingDown,
        *REFUSALS,
    ),
)
async def review(request: Request) -> ReviewOut | SlideReviewOut:
    """Keep whether a reviewer agrees with an answer, or with a slide's. Nothing is ever altered: a
    second review of the same answer stands beside the first."""
    refuse_modified(request, Opinion.model_fields)
    content_type, body = request.headers.get("content-type", ""), await read_json_body(request)
    if is_of_slide(body):
        return await _slide_review(request, content_type, body)
    opinion = parsed(Opinion, content_type, body, errors.ReviewUnreadable)
    journal: Journal = request.app.state.journal
    record = await run_in_threadpool(journal.review, opinion, caller_of(request))
    return ReviewOut(request_id=opinion.request_id, record=record)


def is_of_slide(body: bytes) -> bool:
    with suppress(ValueError, RecursionError):
        content = json.loads(body)
        return isinstance(content, dict) and "slide" in content
    return False


async def _slide_review(request: Request, content_type: str, body: bytes) -> SlideReviewOut:
    worklist: Worklist | None = request.app.state.worklist
    if worklist is None:
        raise errors.SlidesOff
    opinion = parsed(SlideOpinion, content_type, body, errors.ReviewUnreadable)
    caller = caller_of(request)
    record = await run_in_threadpool(worklist.review, opinion, caller)
    return SlideReviewOut(slide=opinion.slide, region=opinion.region, record=record)
