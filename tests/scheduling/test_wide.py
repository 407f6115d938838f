"""A wide field takes its lane for many steps: others are not kept waiting, and it can be left."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import numpy as np
import pytest

from healer.engines.base import Evidence, FieldScale
from healer.errors import EngineFailed
from healer.images.tile import Tile
from healer.scheduling.job import Job, JobFinished
from healer.screening.screener import Score, known_tile
from tests.fake_engine import FakeEngine
from tests.scheduling.conftest import later
from tests.scheduling.test_lane import Desk, answer, desk

pytestmark = pytest.mark.anyio


class Gatekeeper(FakeEngine):
    """Reads windows of 224 px; each look waits until it is let through."""

    scale = FieldScale(widest=650, window=224)

    def __init__(self, *, locked: bool = True) -> None:
        self.looks = 0
        self.let_through = threading.Semaphore(0 if locked else 10**6)
        self.at_the_gate = threading.Semaphore(0)
        self.broken = False

    def score(self, tiles: Sequence[Tile]) -> Sequence[Evidence]:
        self.at_the_gate.release()
        self.let_through.acquire()
        self.looks += 1
        if self.broken:
            raise ValueError("a library's own")
        return super().score(tiles)

    async def reached(self) -> None:
        await asyncio.to_thread(self.at_the_gate.acquire)


def wide() -> Tile:
    return Tile(known_tile(1000).pixels[:800], mpp=1.0)


def join(opened: Desk, tile: Tile) -> Job:
    ticket = opened.line.draw(later())
    opened.line.join(ticket, tile)
    return ticket


def narrow() -> Tile:
    return Tile(np.full((64, 64, 3), 90, np.uint8), mpp=1.0)


async def test_a_wide_field_is_answered_like_any_other() -> None:
    async with desk(Gatekeeper(locked=False)) as opened:
        opened.open()
        heard = await answer(join(opened, wide()))
    looks = [each for each in heard if isinstance(each, Score)]
    assert len(looks) == 1
    assert len(looks[0].windows or ()) == 8 * 7
    assert isinstance(heard[-1], JobFinished)


async def test_others_are_answered_between_its_steps() -> None:
    engine = Gatekeeper()
    async with desk(engine) as opened:
        opened.open()
        slow = join(opened, wide())
        await engine.reached()  # its first step is under way
        quick = asyncio.create_task(answer(join(opened, narrow())))
        engine.let_through.release(2)
        assert any(isinstance(each, Score) for each in await quick)
        assert engine.looks <= 2
        engine.let_through.release(100)
        assert any(isinstance(each, Score) for each in await answer(slow))


async def test_a_second_wide_field_waits_its_turn_and_keeps_nobody_behind_it() -> None:
    engine = Gatekeeper()
    async with desk(engine) as opened:
        opened.open()
        first = join(opened, wide())
        await engine.reached()
        second, quick = join(opened, wide()), join(opened, narrow())
        engine.let_through.release(2)
        assert any(isinstance(each, Score) for each in await answer(quick))
        assert opened.line.waiting == 1
        engine.let_through.release(100)
        for ticket in (first, second):
            assert any(isinstance(each, Score) for each in await answer(ticket))


async def test_a_wide_field_whose_client_left_is_read_no_further() -> None:
    engine = Gatekeeper()
    async with desk(engine) as opened:
        opened.open()
        left = join(opened, wide())
        await engine.reached()
        opened.line.leave(left)
        engine.let_through.release(100)
        await answer(join(opened, narrow()))
        assert engine.looks == 2


async def test_its_failure_is_its_own() -> None:
    engine = Gatekeeper(locked=False)
    async with desk(engine) as opened:
        opened.open()
        engine.broken = True
        with pytest.raises(EngineFailed):
            await answer(join(opened, wide()))
        engine.broken = False
        assert any(isinstance(each, Score) for each in await answer(join(opened, narrow())))
