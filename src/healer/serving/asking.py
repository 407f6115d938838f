"""A request for an answer, from its first byte to its place in line."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Coroutine
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, TypeVar, cast, get_args

from starlette.requests import ClientDisconnect, Request

from healer import errors
from healer.config import GateMode, Settings
from healer.observing import trail
from healer.queueing.budget import Overdrawn
from healer.queueing.deadline import Deadline
from healer.queueing.ticket import Ticket
from healer.screening.admission import Admitted
from healer.serving.form import FIELDS
from healer.serving.identity import request_id_of
from healer.serving.recording import Recording, caller_of
from healer.serving.service import Service
from healer.serving.upload import as_it_is, drain, read_upload

TIMEOUT = "X-Request-Timeout"

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Asked:
    """`timings` are seconds by stage, `began` is of time.perf_counter()."""

    ticket: Ticket
    admitted: Admitted
    recording: Recording
    timings: dict[str, float]
    began: float


async def receive(request: Request, service: Service, settings: Settings, held: ExitStack) -> Asked:
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
            as_it_is(request, FIELDS)
            upload = await read_upload(request, settings.max_bytes, hold.add)
        mode = gate_mode(upload.fields.get("gate"), settings)
        page = page_number(upload.fields.get("page"))
        receiving = time.perf_counter() - began
        trail.current().reached("receive")
        ticket = service.draw(deadline)
        held.callback(service.leave, ticket)
        async with deadline.limit():
            admitted = await unless_gone(
                request, request.app.state.admitting.admit(upload.data, mode, page)
            )
        note(admitted)
        hold.add(admitted.tile.pixels.nbytes)
    except Overdrawn:
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
    return Asked(ticket, admitted, recording, {"receive": receiving, **admitted.timings}, began)


def note(admitted: Admitted) -> None:
    """For whoever watches."""
    seen = trail.current()
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
    asked = request.headers.getlist(TIMEOUT)
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


async def unless_gone(request: Request, work: Coroutine[Any, Any, Result]) -> Result:
    """The work's result. Raises ClientDisconnect, and cancels it, where nobody waits any more.

    Only after the whole body was read.
    """
    working = asyncio.create_task(work)
    leaving = asyncio.create_task(gone(request))
    try:
        await asyncio.wait((working, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not working.done():
            raise ClientDisconnect
        return working.result()
    finally:
        leaving.cancel()
        working.cancel()
        await asyncio.gather(working, leaving, return_exceptions=True)


async def gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
