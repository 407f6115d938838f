"""`python -m healer.slides.process`: reads one slide until its service closes the connection.

Messages to and from it are JSON, as the image decoders' are.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydantic import TypeAdapter

from healer.errors import request as request_errors
from healer.errors import slides as slide_errors
from healer.errors.base import RequestError
from healer.errors.request import ImageError
from healer.errors.slides import AreaUnreadable, SlideDamaged, SlideError, SlideTooCostly
from healer.images.tiff_coding import on_white
from healer.images.tile import Tile
from healer.quality.gate import GATE, GateReport
from healer.sandbox.process import main
from healer.sandbox.protocol import Limits, SharedBuffer
from healer.settings.model import GateMode
from healer.slides.decimation import marked
from healer.slides.formats import as_slide_error, open_slide_file
from healer.slides.reader import Area, ColourChoice
from healer.slides.slide_file import SlideDescription, SlideFile, read_area


@dataclass(frozen=True, slots=True)
class OpenRequest:
    path: str
    colour: ColourChoice


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """`gate` is None where RGBA is wanted as it is; else the picture is laid on white, as RGB.
    `area` is in level-0 pixels, or in those of `level`, which is then shown as it is."""

    area: Area
    width: int
    height: int
    gate: GateMode | None = None
    decimated: tuple[int, ...] = ()
    level: int | None = None


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


class SlideServer:
    """Answers with what it reads; whatever a slide makes a library raise is the slide's fault."""

    def __init__(self, buffer: SharedBuffer, limits: Limits) -> None:
        self._buffer, self._limits = buffer, limits
        self._file: SlideFile | None = None

    def answer(self, message: bytes) -> bytes:
        request = decode_request(message)
        return encode(
            self._opened(request) if isinstance(request, OpenRequest) else self._read(request)
        )

    def _opened(self, request: OpenRequest) -> SlideDescription | SlideRefused:
        try:
            self._file = open_slide_file(Path(request.path), request.colour)
        except RequestError as error:
            return SlideRefused.of(error)
        except MemoryError:
            return SlideRefused.of(SlideTooCostly(self._limits.memory_reason))
        except Exception as error:
            return SlideRefused.of(SlideDamaged(type(error).__name__))
        return self._file.description

    def _read(self, request: ReadRequest) -> AreaRead | SlideRefused:
        try:
            return self._pixels(request)
        except MemoryError:
            reason = self._limits.memory_reason
        except ImageError as error:
            reason = reason_of(as_slide_error(error))
        except SlideError as error:
            reason = reason_of(error)
        except Exception as error:
            reason = type(error).__name__
        area = request.area
        return SlideRefused.of(AreaUnreadable(area.x, area.y, area.width, area.height, reason))

    def _pixels(self, request: ReadRequest) -> AreaRead:
        if self._file is None:
            raise RuntimeError("no slide is open")
        started = time.perf_counter()
        size, area = (request.width, request.height), request.area
        if request.level is None:
            levels = marked(self._file.levels, request.decimated)
            pixels = read_area(self._file, area, size, levels)
        else:
            pixels = self._file.read_level(request.level, area.x, area.y, *size)
        alpha = pixels[..., 3]
        scanned = float((alpha > 0).mean())
        if request.gate is None:
            self._buffer.write(np.ascontiguousarray(pixels).data)
            return AreaRead(scanned, None, {"decode": time.perf_counter() - started})
        colours = np.ascontiguousarray(pixels[..., :3])
        if scanned < 1 or alpha.min() < 255:
            colours = on_white(colours, alpha, premultiplied=False)
        read = time.perf_counter()
        report = None if request.gate == "off" else GATE.assess(Tile(pixels=colours))
        self._buffer.write(np.ascontiguousarray(colours).data)
        timings = {"decode": read - started, "gate": time.perf_counter() - read}
        return AreaRead(scanned, report, timings)


def reason_of(error: SlideError) -> str:
    reason = error.fields().get("reason", error.fields().get("format"))
    return reason if isinstance(reason, str) else error.title.lower()


if __name__ == "__main__":
    (socket, handle), values = json.loads(sys.argv[1])
    bounds = Limits(**values)
    # There is no service to give way to: the model waits for what is read here.
    main(socket, bounds, SlideServer(SharedBuffer(handle), bounds).answer, gives_way=False)
