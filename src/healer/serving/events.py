"""An answer as server-sent events: the verdict at once, the explanation as it comes.

verdict      VerdictOut, as soon as the engine has looked
explanation  Piece, as often as the engine has words
answer       Prediction, once; the last event
problem      Problem, in place of what would have come
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import Any

from pydantic import BaseModel
from sse_starlette import ServerSentEvent

from healer.errors import HealerError
from healer.screening.screener import finish
from healer.serving.problems import status_of
from healer.serving.recording import Recording
from healer.serving.schemas import Piece, Prediction, Problem, VerdictOut
from healer.serving.service import Service

EVENTS: dict[str, Any] = {
    "text/event-stream": {
        "schema": {"type": "string"},
        "example": 'event: verdict\r\ndata: {"verdict": "yes", ...}\r\n\r\n',
    }
}


async def answer_in_events(
    service: Service, recording: Recording, timings: dict[str, float]
) -> AsyncGenerator[ServerSentEvent, None]:
    """Closed by the server when the client goes away, which stops the engine between pieces."""
    try:
        async with aclosing(_told(service, recording, timings)) as events:
            async for event in events:
                yield event
    except HealerError as error:
        yield _event("problem", Problem.of(error, status_of(type(error)), recording.request_id))


async def _told(
    service: Service, recording: Recording, timings: dict[str, float]
) -> AsyncGenerator[ServerSentEvent, None]:
    admitted, request_id = recording.admitted, recording.request_id
    started = time.perf_counter()
    look = await service.look(admitted.tile)
    recorded = await recording.of(look.verdict, look.evidence.margin, look.evidence.mass)
    screener = recording.screener
    yield _event("verdict", VerdictOut.of(screener, look, admitted, request_id, recorded))
    looked = time.perf_counter()
    pieces: list[str] = []
    async with aclosing(service.explain(look)) as explanation:
        async for piece in explanation:
            pieces.append(piece)
            yield _event("explanation", Piece(text=piece))
    now = time.perf_counter()
    screening = finish(look, pieces, now - looked)
    timings = {**timings, "total": sum(timings.values()) + now - started}
    yield _event(
        "answer",
        Prediction.finished(screener, screening, admitted, request_id, timings, recorded),
    )


def _event(name: str, body: BaseModel) -> ServerSentEvent:
    return ServerSentEvent(event=name, data=body.model_dump_json())
