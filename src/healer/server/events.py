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

from healer.answer import Prediction, VerdictOut
from healer.errors import HealerError
from healer.problem import Problem, status_of
from healer.scheduling.job import JobFinished, QueuePosition
from healer.screening.screener import Score, finish_screening
from healer.server.requests import PredictRequest
from healer.server.schemas import Piece, Queued
from healer.server.service import Service
from healer.telemetry.request_trace import current_trace

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


async def answer_in_events(
    service: Service, asked: PredictRequest
) -> AsyncGenerator[ServerSentEvent, None]:
    """Closed by the server when the client goes away, which stops the engine between pieces."""
    try:
        async with aclosing(_told(service, asked)) as events:
            async for event in events:
                yield event
    except HealerError as error:
        request_id = asked.recording.request_id
        current_trace().failed(error.code, status_of(type(error)))
        yield _event("problem", Problem.of(error, request_id))


async def _told(service: Service, asked: PredictRequest) -> AsyncGenerator[ServerSentEvent, None]:
    recording, look = asked.recording, None
    recorded: bool | None = None
    pieces: list[str] = []
    async with aclosing(service.ask(asked.ticket, asked.admitted.tile)) as hearing:
        async for heard in hearing:
            if isinstance(heard, QueuePosition):
                yield _event("queued", Queued(position=heard.position))
            elif isinstance(heard, Score):
                look = heard
                recorded = await recording.of(look)
                yield _event("verdict", _verdict(asked, look, recorded))
            elif isinstance(heard, str):
                pieces.append(heard)
                yield _event("explanation", Piece(text=heard))
            elif look is not None:
                yield _event("answer", _answer(asked, look, pieces, heard, recorded))


def _verdict(asked: PredictRequest, look: Score, recorded: bool | None) -> VerdictOut:
    told = asked.recording
    return VerdictOut.of(told.screener, look, asked.admitted, told.request_id, recorded)


def _answer(
    asked: PredictRequest, look: Score, pieces: list[str], end: JobFinished, recorded: bool | None
) -> Prediction:
    told = asked.recording
    screening = finish_screening(look, pieces, end.explained, waited=end.waited)
    timings = {**asked.timings, "total": time.perf_counter() - asked.began}
    return Prediction.finished(
        told.screener, screening, asked.admitted, told.request_id, timings, recorded
    )


def _event(name: str, body: BaseModel) -> ServerSentEvent:
    return ServerSentEvent(event=name, data=body.model_dump_json())
