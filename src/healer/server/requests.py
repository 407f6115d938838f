"""A request for an answer, from its first byte to its place in the queue."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from email.message import Message
from typing import Any, TypeVar, cast, get_args

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from healer import errors
from healer.errors import (
    BodyEncoded,
    MalformedForm,
    MissingField,
    RepeatedField,
    TooManyBytes,
    UnknownField,
    UnknownParameter,
    UploadNotMultipart,
)
from healer.quality.gate import LoadedTile
from healer.scheduling.job import Deadline, Job
from healer.scheduling.queue import BudgetExceeded
from healer.server.middleware.request_id import request_id_of
from healer.server.recording import Recording, caller_of
from healer.server.service import Service
from healer.settings.loading import Settings
from healer.settings.model import GateMode
from healer.telemetry.request_trace import current_trace

IMAGE_FIELD = "image_file"
# OpenAPI schemas by name. All but FIELD are text.
FORM_FIELDS: dict[str, dict[str, Any]] = {
    IMAGE_FIELD: {
        "type": "string",
        "format": "binary",
        "description": "One H&E tile: PNG, JPEG, TIFF, WebP or BMP.",
    },
    "gate": {
        "type": "string",
        "enum": list(get_args(GateMode)),
        "description": "What to do with a picture that is no assessable H&E field; the default is "
        "the operator's (HEALER_GATE).",
    },
    "page": {
        "type": "integer",
        "minimum": 1,
        "description": "Which page of a TIFF of several, counted from 1; without it, a file of "
        "several pages of full size is refused.",
    },
}
FORM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "required": [IMAGE_FIELD],
    "properties": FORM_FIELDS,
    "additionalProperties": False,
}


# Boundaries, part headers and small fields beside the file itself.
FORM_OVERHEAD = 64 * 1024
# A client that is still sending reads our refusal only once it is done: this much is thrown away.
DRAINED = 64 * 1024 * 1024
PLAIN = (b"7bit", b"8bit", b"binary")  # transfer encodings that change nothing


class _Parser(MultiPartParser):
    spool_max_size = 0  # Starlette's word for "never roll over to disk"

    def on_headers_finished(self) -> None:
        part = self._current_part
        for name, value in part.item_headers:
            if name == b"content-transfer-encoding" and value.strip().lower() not in PLAIN:
                raise MultiPartException("a part has a Content-Transfer-Encoding; send it as it is")
        if part.content_disposition and names_a_file(part.content_disposition):
            part.content_disposition += b'; filename="named"'
        super().on_headers_finished()


def names_a_file(disposition: bytes) -> bool:
    """Whether it has a filename* alone: RFC 7578 does not want it, and some clients send it."""
    header = Message()
    header["Content-Disposition"] = disposition.decode("latin-1")
    _, options = parse_options_header(disposition)
    return b"filename" not in options and header.get_filename() is not None


class _TooLong(MultiPartException):
    """A MultiPartException, because on one of those the parser closes what it holds."""


class _NoRoom(MultiPartException):
    """As above."""


@dataclass(frozen=True, slots=True)
class Upload:
    """The file's bytes, and the small text fields beside it."""

    data: bytes
    fields: dict[str, str]


def as_it_is(request: Request, known: Iterable[str]) -> None:
    """Raises UnknownParameter for what stands in the address, and BodyEncoded."""
    if request.url.query:
        raise UnknownParameter(", ".join(known))
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity"):
        raise BodyEncoded


async def read_upload(request: Request, limit_bytes: int, count: Callable[[int], None]) -> Upload:
    """`count` is told of bytes as they arrive.

    Raises `healer.errors.RequestError`, and Overdrawn where `count` does.
    """
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise UploadNotMultipart
    form = await _parse(request, limit_bytes, count)
    try:
        file, texts = parts_of(form)
        data = await file.read()
    finally:
        await form.close()
    if len(data) > limit_bytes:
        raise TooManyBytes(limit_bytes)
    return Upload(data, texts)


def parts_of(form: FormData) -> tuple[UploadFile, dict[str, str]]:
    """The file, and the fields beside it. Raises where one of them would have to be guessed at."""
    for name in FORM_FIELDS:
        if (count := len(form.getlist(name))) > 1:
            raise RepeatedField(name, count)
    file = form.get(IMAGE_FIELD)
    if not isinstance(file, UploadFile):
        raise MissingField(IMAGE_FIELD)
    texts: dict[str, str] = {}
    for name, value in form.items():
        if name not in FORM_FIELDS:
            raise UnknownField(", ".join(FORM_FIELDS))
        if isinstance(value, str):
            texts[name] = value
        elif name != IMAGE_FIELD:
            raise MalformedForm(f"its field {name} is a file, and must be text")
    return file, texts


async def _parse(request: Request, limit_bytes: int, count: Callable[[int], None]) -> FormData:
    parser = _Parser(
        request.headers, _limited(request, limit_bytes, count), max_files=32, max_fields=32
    )
    try:
        return await parser.parse()
    except _TooLong:
        raise TooManyBytes(limit_bytes) from None
    except _NoRoom:
        raise BudgetExceeded from None
    except MultiPartException as error:
        raise MalformedForm(error.message.rstrip(".")) from None


async def _limited(
    request: Request, limit_bytes: int, count: Callable[[int], None]
) -> AsyncGenerator[bytes, None]:
    received = 0
    stream = request.stream()
    async for chunk in stream:
        received += len(chunk)
        if received > limit_bytes + FORM_OVERHEAD:
            await drain(stream)
            raise _TooLong("too many bytes")
        try:
            count(len(chunk))
        except BudgetExceeded:
            await drain(stream)
            raise _NoRoom("no room") from None
        yield chunk


async def drain(stream: AsyncGenerator[bytes, None]) -> None:
    """Throw away what a client still sends, up to DRAINED bytes."""
    thrown_away = 0
    async for chunk in stream:
        thrown_away += len(chunk)
        if thrown_away > DRAINED:
            return


TIMEOUT_HEADER = "X-Request-Timeout"

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class PredictRequest:
    """`timings` are seconds by stage, `began` is of time.perf_counter()."""

    ticket: Job
    admitted: LoadedTile
    recording: Recording
    timings: dict[str, float]
    began: float


async def receive_request(
    request: Request, service: Service, settings: Settings, held: ExitStack
) -> PredictRequest:
    """Raises RequestError, Busy, ModelNotReady, DeadlineExceeded, and ClientDisconnect.

    What the request holds, memory and a place in line, is given back when `held` closes.
    """
    began = time.perf_counter()
    deadline = deadline_of(request, settings)
    hold = service.budget.hold()
    held.callback(hold.release)
    try:
        async with deadline.limit():
            await refuse_early(request, service)
            as_it_is(request, FORM_FIELDS)
            upload = await read_upload(request, settings.max_bytes, hold.add)
        mode = gate_mode(upload.fields.get("gate"), settings)
        page = page_number(upload.fields.get("page"))
        receiving = time.perf_counter() - began
        current_trace().reached("receive")
        ticket = service.draw(deadline)
        held.callback(service.leave, ticket)
        async with deadline.limit():
            admitted = await cancel_on_disconnect(
                request, request.app.state.admitting.admit(upload.data, mode, page)
            )
        trace_loaded(admitted)
        hold.add(admitted.tile.pixels.nbytes)
    except BudgetExceeded:
        budget_mb = settings.upload_budget_mb
        raise errors.UploadsFull(service.retry_after(), budget_mb) from None
    recording = Recording(
        request.app.state.journal,
        service.screener,
        admitted,
        upload.data,
        request_id_of(request),
        caller_of(request),
    )
    return PredictRequest(
        ticket, admitted, recording, {"receive": receiving, **admitted.timings}, began
    )


def trace_loaded(admitted: LoadedTile) -> None:
    """For whoever watches."""
    seen = current_trace()
    seen.ended(admitted.timings)
    if admitted.gate is not None:
        seen.figures = admitted.gate.figures
        seen.warned = [reason.code for reason in admitted.gate.reasons]


async def refuse_early(request: Request, service: Service) -> None:
    """Before anything of it is kept. Its client reads a refusal only once it has sent all."""
    try:
        service.check()
    except errors.HealerError:
        await drain(request.stream())
        raise


def deadline_of(request: Request, settings: Settings) -> Deadline:
    """The caller's, and never later than the operator's."""
    asked = request.headers.getlist(TIMEOUT_HEADER)
    if not asked:
        return Deadline.after(settings.request_timeout)
    try:
        (seconds,) = map(float, asked)
    except ValueError:
        raise errors.InvalidTimeout from None
    if not (math.isfinite(seconds) and seconds > 0):
        raise errors.InvalidTimeout
    return Deadline.after(min(seconds, settings.request_timeout))


def gate_mode(asked: str | None, settings: Settings) -> GateMode:
    """The caller's wish, or the operator's default."""
    if asked is None:
        return settings.gate
    for mode in get_args(GateMode):
        if asked == mode:
            return cast(GateMode, mode)
    raise errors.InvalidField("gate", ", ".join(get_args(GateMode)))


def page_number(asked: str | None) -> int | None:
    """Which page of several, from 1."""
    if asked is None:
        return None
    if asked.isascii() and asked.isdigit() and len(asked) < 10 and int(asked) > 0:
        return int(asked)
    raise errors.InvalidField("page", "a page's number, counted from 1")


async def cancel_on_disconnect(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """The work's result. Raises ClientDisconnect, and cancels it, where nobody waits any more.

    Only after the whole body was read.
    """
    working = asyncio.create_task(work)
    leaving = asyncio.create_task(client_gone(request))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        leaving.cancel()
        working.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def client_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
