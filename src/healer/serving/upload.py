"""Reading a multipart form: its one file in memory, and no more of it than is allowed."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from healer.errors import MalformedForm, MissingField, TooManyBytes, UploadNotMultipart
from healer.queueing.budget import Overdrawn

# Boundaries, part headers and small fields beside the file itself.
FORM_OVERHEAD = 64 * 1024
# A client that is still sending reads our refusal only once it is done: this much is thrown away.
DRAINED = 64 * 1024 * 1024


class _InMemoryParser(MultiPartParser):
    spool_max_size = 0  # Starlette's word for "never roll over to disk"


class _TooLong(MultiPartException):
    """A MultiPartException, because on one of those the parser closes what it holds."""


class _NoRoom(MultiPartException):
    """As above."""


@dataclass(frozen=True, slots=True)
class Upload:
    """The file's bytes, and the small text fields beside it."""

    data: bytes
    fields: dict[str, str]


async def read_upload(
    request: Request, field: str, limit_bytes: int, count: Callable[[int], None]
) -> Upload:
    """The form whose file is in `field`; `count` is told of bytes as they arrive.

    Raises `healer.errors.RequestError`, and Overdrawn where `count` does.
    """
    if not request.headers.get("content-type", "").lower().startswith("multipart/form-data"):
        raise UploadNotMultipart
    form = await _parse(request, limit_bytes, count)
    try:
        file = form.get(field)
        if not isinstance(file, UploadFile):
            raise MissingField(field)
        data = await file.read()
    finally:
        await form.close()
    if len(data) > limit_bytes:
        raise TooManyBytes(limit_bytes)
    return Upload(data, {name: value for name, value in form.items() if isinstance(value, str)})


async def _parse(request: Request, limit_bytes: int, count: Callable[[int], None]) -> FormData:
    parser = _InMemoryParser(
        request.headers, _limited(request, limit_bytes, count), max_files=8, max_fields=32
    )
    try:
        return await parser.parse()
    except _TooLong:
        raise TooManyBytes(limit_bytes) from None
    except _NoRoom:
        raise Overdrawn from None
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
        except Overdrawn:
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
