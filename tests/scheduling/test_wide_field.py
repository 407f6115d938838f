"""A wide field takes many steps of its worker: it delays no other tile, and can be cancelled."""

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
from tests.scheduling.test_worker import Harness, events, harness

pytestmark = pytest.mark.anyio


class Gated(FakeEngine):
    """Reads windows of 224 px; each call waits for a permit."""

    scale = FieldScale(widest=650, window=224)

    def __init__(self, *, locked: bool = True) -> None:
        self.scores = 0
        self.permits = threading.Semaphore(0 if locked else 10**6)
        self.calls = threading.Semaphore(0)
        self.broken = False

    def score(self, tiles: Sequence[Tile]) -> Sequence[Evidence]:
        self.calls.release()
        self.permits.acquire()
        self.scores += 1
        if self.broken:
            raise ValueError("a library's own")
        return super().score(tiles)

    async def reached(self) -> None:
        await asyncio.to_thread(self.calls.acquire)


def wide() -> Tile:
    return Tile(known_tile(1000).pixels[:800], mpp=1.0)


def join(opened: Harness, tile: Tile) -> Job:
    job = opened.queue.reserve(later())
    opened.queue.enqueue(job, tile)
    return job


def narrow() -> Tile:
    return Tile(np.full((64, 64, 3), 90, np.uint8), mpp=1.0)


async def test_a_wide_field_is_answered_like_any_other_tile() -> None:
    async with harness(Gated(locked=False)) as opened:
        opened.open()
        event = await events(join(opened, wide()))
    scores = [each for each in event if isinstance(each, Score)]
    assert len(scores) == 1
    assert len(scores[0].windows or ()) == 8 * 7
    assert isinstance(event[-1], JobFinished)


async def test_other_tiles_are_answered_between_its_steps() -> None:
    engine = Gated()
    async with harness(engine) as opened:
        opened.open()
        slow = join(opened, wide())
        await engine.reached()  # its first step is under way
        quick = asyncio.create_task(events(join(opened, narrow())))
        engine.permits.release(2)
        assert any(isinstance(each, Score) for each in await quick)
        assert engine.scores <= 2
        engine.permits.release(100)
        assert any(isinstance(each, Score) for each in await events(slow))


async def test_a_second_wide_field_waits_and_delays_no_tile_behind_it() -> None:
    engine = Gated()
    async with harness(engine) as opened:
        opened.open()
        first = join(opened, wide())
        await engine.reached()
        second, quick = join(opened, wide()), join(opened, narrow())
        engine.permits.release(2)
        assert any(isinstance(each, Score) for each in await events(quick))
        assert opened.queue.waiting == 1
        engine.permits.release(100)
        for job in (first, second):
            assert any(isinstance(each, Score) for each in await events(job))


async def test_a_wide_field_of_a_disconnected_client_is_scored_no_further() -> None:
    engine = Gated()
    async with harness(engine) as opened:
        opened.open()
        left = join(opened, wide())
        await engine.reached()
        opened.queue.release(left)
        engine.permits.release(100)
        await events(join(opened, narrow()))
        assert engine.scores == 2


async def test_its_failure_affects_no_other_tile() -> None:
    engine = Gated(locked=False)
    async with harness(engine) as opened:
        opened.open()
        engine.broken = True
        with pytest.raises(EngineFailed):
            await events(join(opened, wide()))
        engine.broken = False
        assert any(isinstance(each, Score) for each in await events(join(opened, narrow())))
