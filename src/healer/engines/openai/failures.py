"""A server's refusals and silences as errors of ours. No body, key or image is ever quoted."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError

from healer.errors import (
    UpstreamBusy,
    UpstreamError,
    UpstreamKeyRejected,
    UpstreamModelUnknown,
    UpstreamUnreachable,
    UpstreamUnsuited,
)

LONGEST_QUOTE = 200  # of a server's own words: more may be our request, sent back
KEYS = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


class Failed(Exception):
    """Worth asking again; `wait` is what the server asks for, in seconds."""

    def __init__(self, error: UpstreamError, wait: float | None = None) -> None:
        super().__init__(error.reason)
        self.error, self.wait = error, wait


class Down(Failed):
    """Failed, and a sign that the server is not well; one that is only busy is."""


def check(url: str, response: httpx.Response) -> None:
    """Raises Failed or an UpstreamError for any status but success; the body must be read."""
    status = response.status_code
    if response.is_success:
        return
    words = f"status {status}"
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        raise Failed(UpstreamBusy(url, words), retry_after(response))
    if response.is_server_error:
        raise Down(UpstreamUnreachable(url, words), retry_after(response))
    if status in KEYS:
        raise UpstreamKeyRejected(url, words)
    words += quoted(response)
    raise (
        UpstreamModelUnknown(url, words)
        if status == HTTPStatus.NOT_FOUND
        else UpstreamUnsuited(url, words)
    )


def silent(url: str, error: httpx.RequestError) -> Down:
    """What the network did, without what was sent."""
    what = "it took too long" if isinstance(error, httpx.TimeoutException) else str(error)
    return Down(UpstreamUnreachable(url, what or type(error).__name__))


def retry_after(response: httpx.Response) -> float | None:
    """Seconds, of either form that the header has."""
    value = response.headers.get("retry-after", "")
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except ValueError:
        return None


class _Words(BaseModel):
    model_config = ConfigDict(extra="ignore")
    message: str


class _Refusal(BaseModel):
    model_config = ConfigDict(extra="ignore")
    error: _Words | None = None
    message: str = ""


def quoted(response: httpx.Response) -> str:
    """The server's own sentence where it gives a short one."""
    try:
        told = _Refusal.model_validate_json(response.content)
    except ValidationError:
        return ""
    words = told.error.message if told.error else told.message
    key = response.request.headers.get("authorization", "").removeprefix("Bearer ")
    if not words or len(words) > LONGEST_QUOTE or "data:" in words or (key and key in words):
        return ""
    return f" ({words})"
