"""A request for an answer, from its first byte to its place in the queue."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from email.message import Message
from typing import TYPE_CHECKING, Any, TypeVar, cast, get_args

from python_multipart.multipart import parse_options_header
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import ClientDisconnect, Request

from healer.audit.records import answer_record, file_digest
from healer.errors.base import HealerError
from healer.errors.request import (
    BodyEncoded,
    InvalidField,
    InvalidTimeout,
    MalformedForm,
    MissingField,
    RepeatedField,
    TooManyBytes,
    UnknownField,
    UnknownParameter,
    UploadNotMultipart,
)
from healer.errors.scheduling import UploadsFull
from healer.quality.gate import LoadedTile
from healer.scheduling.job import Deadline, Job
from healer.scheduling.queue import BudgetExceeded
from healer.screening.screener import Score, Screener, Screening
from healer.server.scope import TIMEOUT_HEADER, caller_of, discard, request_id_of
from healer.settings.loading import Settings
from healer.settings.model import GateMode
from healer.telemetry.observation import current_trace

if TYPE_CHECKING:
    from healer.audit.journal import Journal
    from healer.server.service import Service

IMAGE_FIELD = "image_file"
# OpenAPI schemas by name. All but IMAGE_FIELD are text.
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
PLAIN = (b"7bit", b"8bit", b"binary")  # transfer encodings that change nothing


class _Parser(MultiPartParser):
    spool_max_size = 0  # never roll over to disk

    def on_headers_finished(self) -> None:
        part = self._current_part
        for name, value in part.item_headers:
            if name == b"content-transfer-encoding" and value.strip().lower() not in PLAIN:
                raise MultiPartException("a part has a Content-Transfer-Encoding; send it as it is")
        if part.content_disposition and names_a_file(part.content_disposition):
            part.content_disposition += b'; filename="named"'
        super().on_headers_finished()

    async def parse(self) -> FormData:
        """The form. The file of a part that does not end is no field of it, and is closed here."""
        form = await super().parse()
        values = (value for _, value in form.multi_items())
        fields = {id(value.file) for value in values if isinstance(value, UploadFile)}
        for file in self._files_to_close_on_error:
            if id(file) not in fields:
                file.close()
        return form


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


def refuse_modified(request: Request, known: Iterable[str]) -> None:
    """Raises UnknownParameter for a query string, BodyEncoded for a compressed body."""
    if request.url.query:
        raise UnknownParameter(", ".join(known))
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding not in ("", "identity"):
        raise BodyEncoded


async def read_upload(request: Request, limit_bytes: int, count: Callable[[int], None]) -> Upload:
    """`count` is called with the size of each chunk.

    Raises RequestError, and BudgetExceeded where `count` does.
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
            await discard(stream)
            raise _TooLong("too many bytes")
        try:
            count(len(chunk))
        except BudgetExceeded:
            await discard(stream)
            raise _NoRoom("no room") from None
        yield chunk


Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class PredictRequest:
    """What is known of a request before it is answered: `data` is the file as it was sent,
    `timings` are seconds by stage, `began` is of time.perf_counter()."""

    job: Job
    loaded: LoadedTile
    screener: Screener
    journal: Journal
    data: bytes = field(repr=False)
    request_id: str
    caller: str | None
    timings: dict[str, float]
    began: float

    async def record(self, answer: Score | Screening) -> bool | None:
        """Commit the answer to the audit log, before it is sent. Whether it was recorded; None
        where no log is kept. Raises AuditError."""
        if not self.journal.enabled:
            return None
        return await run_in_threadpool(self._record, answer)

    def _record(self, answer: Score | Screening) -> bool | None:
        return self.journal.record(
            answer_record(
                self.screener,
                self.loaded,
                answer,
                file_sha256=file_digest(self.data),
                request_id=self.request_id,
                caller=self.caller,
            )
        )


async def receive_request(
    request: Request, service: Service, settings: Settings, held: ExitStack
) -> PredictRequest:
    """Raises RequestError, Busy, ModelNotReady, DeadlineExceeded, and ClientDisconnect.

    Memory and the place in the queue are released when `held` closes.
    """
    began = time.perf_counter()
    deadline = deadline_of(request, settings)
    hold = service.budget.hold()
    held.callback(hold.release)
    try:
        async with deadline.limit():
            await refuse_early(request, service)
            refuse_modified(request, FORM_FIELDS)
            upload = await read_upload(request, settings.max_bytes, hold.add)
        mode = gate_mode(upload.fields.get("gate"), settings)
        page = page_number(upload.fields.get("page"))
        receiving = time.perf_counter() - began
        current_trace().end_stage("receive")
        job = service.reserve(deadline)
        held.callback(service.release, job)
        async with deadline.limit():
            loaded = await cancel_on_disconnect(
                request, request.app.state.image_loader.load(upload.data, mode, page)
            )
        trace_loaded(loaded)
        hold.add(loaded.tile.pixels.nbytes)
    except BudgetExceeded:
        raise UploadsFull(service.retry_after(), settings.upload_budget_mb) from None
    return PredictRequest(
        job=job,
        loaded=loaded,
        screener=service.screener,
        journal=request.app.state.journal,
        data=upload.data,
        request_id=request_id_of(request),
        caller=caller_of(request),
        timings={"receive": receiving, **loaded.timings},
        began=began,
    )


def trace_loaded(loaded: LoadedTile) -> None:
    trace = current_trace()
    trace.add_stages(loaded.timings)
    if loaded.gate is not None:
        trace.figures = loaded.gate.figures
        trace.warned = [reason.code for reason in loaded.gate.reasons]


async def refuse_early(request: Request, service: Service) -> None:
    """Before anything of it is kept in memory."""
    try:
        service.check()
    except HealerError:
        await discard(request.stream())
        raise


def deadline_of(request: Request, settings: Settings) -> Deadline:
    """The caller's, and never later than the operator's."""
    values = request.headers.getlist(TIMEOUT_HEADER)
    if not values:
        return Deadline.after(settings.request_timeout)
    try:
        (seconds,) = map(float, values)
    except ValueError:
        raise InvalidTimeout from None
    if not (math.isfinite(seconds) and seconds > 0):
        raise InvalidTimeout
    return Deadline.after(min(seconds, settings.request_timeout))


def gate_mode(value: str | None, settings: Settings) -> GateMode:
    """The caller's choice, or the operator's default."""
    if value is None:
        return settings.gate
    for mode in get_args(GateMode):
        if value == mode:
            return cast(GateMode, mode)
    raise InvalidField("gate", ", ".join(get_args(GateMode)))


def page_number(value: str | None) -> int | None:
    """Which page of several, from 1."""
    if value is None:
        return None
    if value.isascii() and value.isdigit() and len(value) < 10 and int(value) > 0:
        return int(value)
    raise InvalidField("page", "a page's number, counted from 1")


async def cancel_on_disconnect(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """The work's result. Raises ClientDisconnect, and cancels the work, once the client is gone.

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
