"""What a server says of its failures, in words fit to quote, and which error each is."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, NoReturn

import httpx

from healer.errors.engine import (
    UpstreamBusy,
    UpstreamError,
    UpstreamKeyRejected,
    UpstreamModelUnknown,
    UpstreamUnreachable,
    UpstreamUnsuited,
)

LONGEST = 200
BYTES_READ = 20_000  # bytes of a body that is no JSON
DEEPEST = 8  # levels of JSON
CODES = range(400, 600)
# Where the sentence stands, the likeliest place first.
SENTENCES = ("message", "msg", "detail", "error", "title", "description", "reason")
TAG = re.compile(r"<(script|style)\b.*?</\1>|<[^<>]+>", re.IGNORECASE | re.DOTALL)
DATA_URL = re.compile(r"data:[\w/+.-]*[;,][^\s\"'<>]*")
ENCODED = re.compile(r"[A-Za-z0-9+/_=-]{64,}")
CREDENTIAL = re.compile(r"\b(?:Bearer|Basic)\s+\S+|\b(?:sk|hf|gsk|nvapi)[-_]\w[\w-]{7,}")
IN_ADDRESS = re.compile(r"(?<=://)[^\s/@]+@")
LEFT_OUT = "…"
LEAST_SHARED = 4  # letters that a word must share with the key to be taken for a piece of it


@dataclass(frozen=True, slots=True)
class Complaint:
    """`code` is the HTTP status that a body names, whatever status it was sent with."""

    words: str
    code: int | None = None


def complaint_in(body: bytes | str) -> Complaint | None:
    """Of a body that came as a success; None where it is none."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return None
    if not isinstance(parsed, Mapping):
        return None
    instead = "choices" not in parsed and (parsed.get("detail") or parsed.get("object") == "error")
    if not parsed.get("error") and not instead:
        return None
    return Complaint(" ".join(_sentences(parsed)), _code(parsed))


def words_in(body: bytes, key: str = "") -> str:
    """Of a refusal, fit to be quoted; empty where it holds no words."""
    try:
        parsed = json.loads(body)
    except (ValueError, RecursionError):
        return quotable(TAG.sub(" ", body[:BYTES_READ].decode("utf-8", "replace")), key)
    return quotable(" ".join(_sentences(parsed)) or json.dumps(parsed, ensure_ascii=False), key)


def quotable(words: str, key: str = "") -> str:
    """One short line without the image, `key` or anything that looks like another secret."""
    for pattern in (DATA_URL, CREDENTIAL, IN_ADDRESS):
        words = pattern.sub(LEFT_OUT, words)
    plain = "".join(letter if letter.isprintable() else " " for letter in words)
    printable = [
        LEFT_OUT if _shows(word, key) else ENCODED.sub(LEFT_OUT, word) for word in plain.split()
    ]
    line = " ".join(printable).strip("{}[] ")
    return line if len(line) <= LONGEST else line[: LONGEST - 1].rstrip() + LEFT_OUT


def _shows(word: str, key: str) -> bool:
    """Whether it is the key, or holds its beginning: some servers hide only the rest."""
    if len(key) <= LEAST_SHARED:
        return bool(key) and word.strip("\"'.,:;()") == key
    return key[: max(LEAST_SHARED, len(key) // 4)] in word


def _sentences(parsed: Any, depth: int = DEEPEST) -> Iterator[str]:  # noqa: ANN401 - JSON
    if not depth:
        return
    if isinstance(parsed, str):
        yield parsed
    elif isinstance(parsed, list):
        for each in parsed:
            yield from _sentences(each, depth - 1)
    elif isinstance(parsed, Mapping):
        place = next((parsed[name] for name in SENTENCES if parsed.get(name)), None)
        field = parsed.get("loc")
        where = ".".join(map(str, field)) + ": " if isinstance(field, list) else ""
        for sentence in _sentences(place, depth - 1):
            yield where + sentence


def _code(parsed: Mapping[str, Any]) -> int | None:
    """Of the error itself or beside it."""
    error = parsed.get("error")
    for place in (error if isinstance(error, Mapping) else {}, parsed):
        for name in ("code", "status", "status_code"):
            try:
                code = int(place.get(name) or 0)
            except (TypeError, ValueError):
                continue
            if code in CODES:
                return code
    return None


# "At most 4 image(s) may be provided in one prompt." (vLLM), "supports up to 16 images", "Too many
# images: 125. Maximum is 100."
IMAGES_ALLOWED = (
    re.compile(
        r"(?:at most|up to|max\w*|limit\w*)\D{0,24}?(\d+)\s*(?:image|picture)", re.IGNORECASE
    ),
    re.compile(
        r"(?:image|picture)\D.{0,60}?(?:at most|up to|max\w*|limit\w*)\D{0,12}(\d+)", re.IGNORECASE
    ),
)
# What servers call a prompt that is longer than the model reads, or a body that is too large.
TOO_LONG = re.compile(
    r"context|too (?:long|large|many)|max_model_len|maximum length|status 413", re.IGNORECASE
)


def images_allowed(words: str, shown: int) -> int | None:
    """How many of `shown` images a refusal allows, or may: half of them where it says only that
    they are too much. None where it is about something else."""
    for pattern in IMAGES_ALLOWED:
        if (found := pattern.search(words)) and int(found[1]) < shown:
            return int(found[1])
    return shown // 2 if TOO_LONG.search(words) else None


KEYS = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


class Failed(Exception):
    """Worth a retry; `wait` is what the server requests, in seconds, `status` what it sent."""

    def __init__(
        self, error: UpstreamError, wait: float | None = None, status: int | None = None
    ) -> None:
        super().__init__(error.reason)
        self.error, self.wait, self.status = error, wait, status


class Down(Failed):
    """Failed, and a sign that the server is not well; one that is only busy is."""


def check_response(url: str, response: httpx.Response) -> None:
    """Raises Failed or an UpstreamError for any status but success; the body must be read."""
    if response.is_success:
        return
    status = response.status_code
    said = words_in(response.content, key_of(response.request))
    refuse(url, status, f"status {status}: {said}" if said else f"status {status}", response)


def check_body(url: str, response: httpx.Response, body: bytes | str) -> None:
    """The same for a body that came as a success, or a piece of it, and reports an error."""
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


def no_response(url: str, error: httpx.RequestError) -> Down:
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
