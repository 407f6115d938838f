"""An answer as server-sent events: the verdict at once, the explanation as it comes.

queued       Queued, while it waits, whenever its position in the queue changes
verdict      VerdictOut, as soon as the engine has scored the tile
explanation  Piece, as the engine writes it
answer       Prediction, once; the last event
problem      Problem, in place of the events that are left
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import ExitStack, aclosing
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field
from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.types import Receive, Scope, Send

from healer.answer import Prediction, VerdictOut
from healer.errors.base import HealerError
from healer.problem import Problem, status_of
from healer.scheduling.job import JobFinished, QueuePosition
from healer.screening.screener import Score, finish_screening
from healer.telemetry.observation import current_trace

if TYPE_CHECKING:
    from healer.server.requests import PredictRequest
    from healer.server.service import Service

EVENTS: dict[str, Any] = {
    "text/event-stream": {
        "schema": {"type": "string"},
        "example": 'event: verdict\r\ndata: {"verdict": "yes", ...}\r\n\r\n',
    }
}


class Queued(BaseModel):
    """A place in the queue."""

    position: int = Field(description="1 is next; 0 once the model scores the tile.")


class Piece(BaseModel):
    """The next words of the explanation."""

    text: str


class Events(EventSourceResponse):
    """Releases what its request holds, also where it never began."""

    def __init__(self, events: AsyncGenerator[ServerSentEvent, None], held: ExitStack) -> None:
        super().__init__(events)
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._held:
            await super().__call__(scope, receive, send)


async def answer_in_events(
    service: Service, received: PredictRequest
) -> AsyncGenerator[ServerSentEvent, None]:
    """Closed by the server when the client goes away, which stops the engine between pieces."""
    try:
        async with aclosing(_events(service, received)) as events:
            async for event in events:
                yield event
    except HealerError as error:
        current_trace().failed(error.code, status_of(type(error)))
        yield _event("problem", Problem.of(error, received.request_id))


async def _events(
    service: Service, received: PredictRequest
) -> AsyncGenerator[ServerSentEvent, None]:
    score: Score | None = None
    recorded: bool | None = None
    pieces: list[str] = []
    async with aclosing(service.events(received.job, received.loaded.tile)) as events:
        async for event in events:
            if isinstance(event, QueuePosition):
                yield _event("queued", Queued(position=event.position))
            elif isinstance(event, Score):
                score = event
                recorded = await received.record(score)
                yield _event("verdict", _verdict(received, score, recorded))
            elif isinstance(event, str):
                pieces.append(event)
                yield _event("explanation", Piece(text=event))
            elif score is not None:
                yield _event("answer", _answer(received, score, pieces, event, recorded))


def _verdict(received: PredictRequest, score: Score, recorded: bool | None) -> VerdictOut:
    return VerdictOut.of(received.screener, score, received.loaded, received.request_id, recorded)


def _answer(
    received: PredictRequest,
    score: Score,
    pieces: list[str],
    end: JobFinished,
    recorded: bool | None,
) -> Prediction:
    screening = finish_screening(score, pieces, end.explained, waited=end.waited)
    timings = {**received.timings, "total": time.perf_counter() - received.began}
    return Prediction.finished(
        received.screener, screening, received.loaded, received.request_id, timings, recorded
    )


def _event(name: str, body: BaseModel) -> ServerSentEvent:
    return ServerSentEvent(event=name, data=body.model_dump_json())
