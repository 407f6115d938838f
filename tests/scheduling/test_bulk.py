"""Jobs of many tiles: scored only, into a reducer, and never ahead of a tile that somebody waits
for."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence

import pytest

from healer.engines.base import Answer, Evidence
from healer.engines.spec import Batching
from healer.errors import EngineFailed, HealerError, InternalError, NotAnImage, ShuttingDown
from healer.images.tile import Tile
from healer.scheduling.job import JobFinished, Priority
from healer.screening.screener import Score
from tests.fake_engine import FakeEngine
from tests.scheduling.conftest import tile
from tests.scheduling.test_worker import POISON, Remembering, events, harness

pytestmark = pytest.mark.anyio

BULK_RED, SINGLE_RED = 10, 250


class Collected:
    """A reducer that keeps everything."""

    def __init__(self) -> None:
        self.results: dict[int, Score | HealerError] = {}

    def add(self, index: int, result: Score | HealerError) -> None:
        assert index not in self.results
        self.results[index] = result

    @property
    def answers(self) -> list[Answer | str]:
        ordered = (self.results[index] for index in sorted(self.results))
        return [each.verdict.answer if isinstance(each, Score) else each.code for each in ordered]


class Stepped(FakeEngine):
    """Each batch waits for a permit; `batches` are the tiles' reds."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.permits, self.calls = threading.Semaphore(0), threading.Semaphore(0)

    def score(self, tiles: Sequence[Tile]) -> Sequence[Evidence]:
        self.batches.append([int(tile.pixels[0, 0, 0]) for tile in tiles])
        self.calls.release()
        assert self.permits.acquire(timeout=30)
        return super().score(tiles)

    async def called(self) -> None:
        assert await asyncio.to_thread(self.calls.acquire, timeout=30)


async def test_a_job_of_many_is_scored_in_batches_and_not_explained() -> None:
    engine, collected = Remembering(), Collected()
    async with harness(engine, Batching(tiles=4)) as opened:
        job = opened.queue.submit([tile(10), tile(250), *[tile(10)] * 8], collected)
        assert (job.priority, job.explained) == (Priority.BULK, False)
        opened.open()
        published = await events(job)
    assert [type(each) for each in published] == [JobFinished]
    assert engine.sizes == [4, 4, 2]
    assert collected.answers == [Answer.YES] * 10
    assert opened.batches == []  # the queue's figures are of tiles that somebody waits for


async def test_a_tile_waits_for_at_most_one_batch_of_a_job_of_20_000() -> None:
    engine, collected = Stepped(), Collected()
    async with harness(engine, Batching(tiles=4)) as opened:
        bulk = opened.queue.submit((tile(BULK_RED) for _ in range(20_000)), collected)
        opened.open()
        await engine.called()  # its first batch is under way
        single = opened.submit(SINGLE_RED)
        assert single.priority < bulk.priority
        engine.permits.release(2)
        assert isinstance((await events(single))[-1], JobFinished)
        assert engine.batches[:2] == [[BULK_RED] * 4, [SINGLE_RED]]
        assert len(collected.results) == 4
        await engine.called()
        await engine.called()  # and it goes on
        assert engine.batches[2] == [BULK_RED] * 4
        opened.queue.release(bulk)
        engine.permits.release(10**6)


async def test_jobs_of_many_take_turns() -> None:
    engine = Remembering()
    firsts: list[str] = []

    def named(name: str) -> Iterator[Tile]:
        for _ in range(3):
            firsts.append(name)
            yield tile()

    async with harness(engine, Batching(tiles=1)) as opened:
        jobs = [opened.queue.submit(named(name), Collected()) for name in "ab"]
        opened.open()
        for job in jobs:
            await events(job)
    assert firsts == ["a", "b"] * 3


async def test_several_workers_share_one_job() -> None:
    collected = Collected()
    async with harness(FakeEngine(), Batching(tiles=2, workers=3)) as opened:
        job = opened.queue.submit((tile() for _ in range(101)), collected)
        opened.open()
        await events(job)
    assert sorted(collected.results) == list(range(101))


async def test_a_tile_that_fails_is_reduced_as_its_error_and_affects_no_other() -> None:
    collected = Collected()
    async with harness(Remembering(), Batching(tiles=4)) as opened:
        tiles: list[Tile | HealerError] = [tile(10), NotAnImage(), tile(POISON), tile(250)]
        job = opened.queue.submit(tiles, collected)
        opened.open()
        await events(job)
    assert collected.answers == [Answer.YES, NotAnImage.code, EngineFailed.code, Answer.YES]


def broken_stream() -> Iterator[Tile]:
    yield tile()
    raise ValueError("the slide ends here")


async def test_a_stream_that_fails_ends_its_job_alone() -> None:
    async with harness(FakeEngine()) as opened:
        job = opened.queue.submit(broken_stream(), Collected())
        opened.open()
        with pytest.raises(InternalError, match="ValueError"):
            await events(job)
        assert isinstance((await events(opened.submit()))[-1], JobFinished)


async def test_an_empty_job_finishes() -> None:
    async with harness(FakeEngine()) as opened:
        opened.open()
        assert isinstance((await events(opened.queue.submit([], Collected())))[-1], JobFinished)


async def test_shutting_down_ends_a_job_of_many() -> None:
    engine = Stepped()
    async with harness(engine) as opened:
        job = opened.queue.submit((tile() for _ in range(20_000)), Collected())
        opened.open()
        await engine.called()
        engine.permits.release()
        await opened.workers.close(ShuttingDown())
        with pytest.raises(ShuttingDown):
            await events(job)
        engine.permits.release(10**6)
