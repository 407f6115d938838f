"""A server's refusals and silences as errors of ours, with what it says of them."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import NoReturn

import httpx

from healer.engines.openai.words import complaint_in, quotable, words_in
from healer.errors import (
    UpstreamBusy,
    UpstreamError,
    UpstreamKeyRejected,
    UpstreamModelUnknown,
    UpstreamUnreachable,
    UpstreamUnsuited,
)

KEYS = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


class Failed(Exception):
    """Worth asking again; `wait` is what the server asks for, in seconds, `status` what it sent."""

    def __init__(
        self, error: UpstreamError, wait: float | None = None, status: int | None = None
    ) -> None:
        super().__init__(error.reason)
        self.error, self.wait, self.status = error, wait, status


class Down(Failed):
    """Failed, and a sign that the server is not well; one that is only busy is."""


def check(url: str, response: httpx.Response) -> None:
    """Raises Failed or an UpstreamError for any status but success; the body must be read."""
    if response.is_success:
        return
    status = response.status_code
    said = words_in(response.content, key_of(response.request))
    refuse(url, status, f"status {status}: {said}" if said else f"status {status}", response)


def check_body(url: str, response: httpx.Response, body: bytes | str) -> None:
    """The same for a body that came as a success, or a piece of it, and tells of an error."""
    complaint = complaint_in(body)
    if complaint is None:
        return
    said = quotable(complaint.words, key_of(response.request)) or "without a word about it"
    words = f"it answered {response.status_code} with an error: {said}"
    if complaint.code is not None:
        refuse(url, complaint.code, words, response)
    raise Down(UpstreamError(url, words), status=HTTPStatus.INTERNAL_SERVER_ERROR)


def refuse(url: str, status: int, words: str, response: httpx.Response) -> NoReturn:
    if status == HTTPStatus.TOO_MANY_REQUESTS:
        raise Failed(UpstreamBusy(url, words), retry_after(response), status)
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise Down(UpstreamUnreachable(url, words), retry_after(response), status)
    if status in KEYS:
        raise UpstreamKeyRejected(url, words)
    raise (
        UpstreamModelUnknown(url, words)
        if status == HTTPStatus.NOT_FOUND
        else UpstreamUnsuited(url, words)
    )


def key_of(request: httpx.Request) -> str:
    return str(request.headers.get("authorization", "")).removeprefix("Bearer ")


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
