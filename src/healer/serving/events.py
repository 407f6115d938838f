"""An answer as server-sent events: the verdict at once, the explanation as it comes.

queued       Queued, while it waits and whenever its place in line changes
verdict      VerdictOut, as soon as the engine has looked
explanation  Piece, as often as the engine has words
answer       Prediction, once; the last event
problem      Problem, in place of what would have come
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import ExitStack, aclosing
from typing import Any

from pydantic import BaseModel
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.types import Receive, Scope, Send

from healer.errors import HealerError
from healer.observing import trail
from healer.queueing.ticket import Finished, Waiting
from healer.screening.screener import Look, finish
from healer.serving.asking import Asked
from healer.serving.problems import status_of
from healer.serving.schemas import Piece, Prediction, Problem, Queued, VerdictOut
from healer.serving.service import Service

EVENTS: dict[str, Any] = {
    "text/event-stream": {
        "schema": {"type": "string"},
        "example": 'event: verdict\r\ndata: {"verdict": "yes", ...}\r\n\r\n',
    }
}


class Events(EventSourceResponse):
    """Gives back what its request held, also where it was never begun."""

    def __init__(self, events: AsyncGenerator[ServerSentEvent, None], held: ExitStack) -> None:
        super().__init__(events)
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._held:
            await super().__call__(scope, receive, send)


async def answer_in_events(service: Service, asked: Asked) -> AsyncGenerator[ServerSentEvent, None]:
    """Closed by the server when the client goes away, which stops the engine between pieces."""
    try:
        async with aclosing(_told(service, asked)) as events:
            async for event in events:
                yield event
    except HealerError as error:
        request_id = asked.recording.request_id
        trail.current().failed(error.code, status_of(type(error)))
        yield _event("problem", Problem.of(error, status_of(type(error)), request_id))


async def _told(service: Service, asked: Asked) -> AsyncGenerator[ServerSentEvent, None]:
    recording, look = asked.recording, None
    recorded: bool | None = None
    pieces: list[str] = []
    async with aclosing(service.ask(asked.ticket, asked.admitted.tile)) as hearing:
        async for heard in hearing:
            if isinstance(heard, Waiting):
                yield _event("queued", Queued(position=heard.position))
            elif isinstance(heard, Look):
                look = heard
                recorded = await recording.of(look)
                yield _event("verdict", _verdict(asked, look, recorded))
            elif isinstance(heard, str):
                pieces.append(heard)
                yield _event("explanation", Piece(text=heard))
            elif look is not None:
                yield _event("answer", _answer(asked, look, pieces, heard, recorded))


def _verdict(asked: Asked, look: Look, recorded: bool | None) -> VerdictOut:
    told = asked.recording
    return VerdictOut.of(told.screener, look, asked.admitted, told.request_id, recorded)


def _answer(
    asked: Asked, look: Look, pieces: list[str], end: Finished, recorded: bool | None
) -> Prediction:
    told = asked.recording
    screening = finish(look, pieces, end.explained, waited=end.waited)
    timings = {**asked.timings, "total": time.perf_counter() - asked.began}
    return Prediction.finished(
        told.screener, screening, asked.admitted, told.request_id, timings, recorded
    )


def _event(name: str, body: BaseModel) -> ServerSentEvent:
    return ServerSentEvent(event=name, data=body.model_dump_json())
