"""Messages to and from a process that reads one slide: JSON, as the image decoders' are."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from typing import Any, Literal

from pydantic import TypeAdapter

from healer.errors import request as request_errors
from healer.errors import slides as slide_errors
from healer.errors.base import RequestError
from healer.quality.gate import GateReport
from healer.settings.model import GateMode
from healer.slides.geometry import Area
from healer.slides.reader import ColourChoice
from healer.slides.slide_file import SlideDescription


@dataclass(frozen=True, slots=True)
class OpenRequest:
    path: str
    colour: ColourChoice


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """`gate` is None where RGBA is wanted as it is; else the picture is laid on white, as RGB."""

    area: Area
    width: int
    height: int
    gate: GateMode | None = None


@dataclass(frozen=True, slots=True)
class AreaRead:
    """The buffer holds the pixels. `scanned` is the share of them that the scanner covered."""

    scanned: float
    gate: GateReport | None
    timings: dict[str, float]


@dataclass(frozen=True, slots=True)
class SlideRefused:
    """A RequestError: its class, and its fields."""

    kind: str
    fields: Mapping[str, Any]

    @classmethod
    def of(cls, error: RequestError) -> SlideRefused:
        return cls(type(error).__name__, error.fields())

    def error(self) -> RequestError:
        """Raises KeyError and TypeError where no error is meant."""
        return ERRORS[self.kind](**self.fields)


ERRORS: dict[str, type[RequestError]] = {
    kind.__name__: kind
    for module in (slide_errors, request_errors)
    for kind in vars(module).values()
    if isinstance(kind, type) and issubclass(kind, RequestError)
}
SlideRequest = OpenRequest | ReadRequest
SlideReply = SlideDescription | AreaRead | SlideRefused
Side = Literal["request", "reply"]


def encode(message: SlideRequest | SlideReply) -> bytes:
    return json.dumps(asdict(message)).encode()


def decode_request(message: bytes) -> SlideRequest:
    """Raises ValidationError."""
    return _adapter("request").validate_json(message)  # type: ignore[no-any-return]


def decode_reply(message: bytes) -> SlideReply:
    """Raises ValidationError."""
    return _adapter("reply").validate_json(message)  # type: ignore[no-any-return]


@cache
def _adapter(side: Side) -> TypeAdapter[Any]:
    return TypeAdapter(SlideRequest if side == "request" else SlideReply)
