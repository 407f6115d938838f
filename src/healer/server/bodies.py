"""JSON that a request carries, as a model: refused in words that repeat nothing of it."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TypeVar

from fastapi import Request
from pydantic import BaseModel, ValidationError

from healer.errors import ReviewUnreadable, SlideRequestUnreadable, TooManyBytes

LIMIT_BYTES = 16 * 1024
Kind = TypeVar("Kind", bound=BaseModel)
Refusal = type[ReviewUnreadable] | type[SlideRequestUnreadable]


async def read_json_body(request: Request) -> bytes:
    """Raises TooManyBytes."""
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > LIMIT_BYTES:
            raise TooManyBytes(LIMIT_BYTES)
    return body


def parsed(kind: type[Kind], content_type: str, body: bytes, refusal: Refusal) -> Kind:
    """Raises `refusal`."""
    # A page elsewhere can make a browser send any type but this one unasked.
    if content_type.split(";")[0].strip().lower() != "application/json":
        raise refusal("its content type is not application/json")
    _refuse_repeated(body, refusal)
    try:
        return kind.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        where = str(first["loc"][0]) if first["loc"] else "the body"
        known = where if where in (*kind.model_fields, "the body") else "a field"
        raise refusal(f"{known}: {first['msg']}") from None


def _refuse_repeated(body: bytes, refusal: Refusal) -> None:
    """Where a field stands there twice: JSON's readers take the last."""

    def unrepeated(pairs: list[tuple[str, object]]) -> dict[str, object]:
        named = dict(pairs)
        if len(named) < len(pairs):
            raise refusal("a field stands there more than once")
        return named

    with suppress(ValueError, RecursionError):  # pydantic reports what is no JSON
        json.loads(body, object_pairs_hook=unrepeated)
