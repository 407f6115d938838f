"""Reading a multipart form: its one file in memory, and no more of it than is allowed."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterable
from dataclasses import dataclass
from email.message import Message

from python_multipart.multipart import parse_options_header
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

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
from healer.queueing.budget import Overdrawn
from healer.serving.form import FIELD, FIELDS

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
    for name in FIELDS:
        if (count := len(form.getlist(name))) > 1:
            raise RepeatedField(name, count)
    file = form.get(FIELD)
    if not isinstance(file, UploadFile):
        raise MissingField(FIELD)
    texts: dict[str, str] = {}
    for name, value in form.items():
        if name not in FIELDS:
            raise UnknownField(", ".join(FIELDS))
        if isinstance(value, str):
            texts[name] = value
        elif name != FIELD:
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
