from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager

import pytest

from healer.engines.base import Answer, Evidence
from healer.engines.spec import Batching
from healer.errors import (
    EngineFailed,
    EngineHung,
    EngineOutOfMemory,
    ModelNotReady,
    ShuttingDown,
    UpstreamChanged,
)
from healer.images.tile import Tile
from healer.scheduling import worker
from healer.scheduling.job import Job, JobEvent, JobFinished
from healer.scheduling.pool import WorkerPool
from healer.scheduling.queue import RequestQueue, ThroughputEstimator
from healer.scheduling.worker import MAX_FAILURES
from healer.screening.screener import Score, Screener
from healer.telemetry.observation import Observer
from tests.fake_engine import FakeEngine
from tests.scheduling.conftest import later, tile

pytestmark = pytest.mark.anyio

POISON = 7


class Harness:
    """A queue, its workers, and what they reported."""

    def __init__(self, engine: FakeEngine, batching: Batching, hang_seconds: float) -> None:
        self.failures: list[str] = []
        self.batches: list[int] = []
        self.changes: list[UpstreamChanged] = []
        observer = self._observer = Observer()
        observer.failed = self.failures.append  # type: ignore[method-assign,assignment]
        observer.dequeued = lambda waits: self.batches.append(len(waits))  # type: ignore[method-assign]
        self.queue = RequestQueue(99)
        self.throughput = ThroughputEstimator()
        self.workers = WorkerPool(
            self.queue, self.throughput, observer, hang_seconds, self.changes.append
        )
        self._screener, self._batching = Screener(engine), batching

    def open(self) -> None:
        self.workers.open([self._screener], self._batching)

    def break_observer(self) -> None:
        def fail(_: object) -> None:
            raise RuntimeError("a mistake of ours")

        self._observer.dequeued = fail  # type: ignore[method-assign,assignment]

    def submit(self, red: int = 200) -> Job:
        job = self.queue.reserve(later())
        self.queue.enqueue(job, tile(red))
        return job


@asynccontextmanager
async def harness(
    engine: FakeEngine, batching: Batching | None = None, hang_seconds: float = 60
) -> AsyncIterator[Harness]:
    opened = Harness(engine, batching or Batching(), hang_seconds)
    try:
        yield opened
    finally:
        await opened.workers.close(ShuttingDown())


async def events(job: Job) -> list[JobEvent]:
    return [event async for event in job.events()]


class Remembering(FakeEngine):
    def __init__(self) -> None:
        self.sizes: list[int] = []

    def score(self, tiles: Sequence[Tile]) -> Sequence[Evidence]:
        self.sizes.append(len(tiles))
        if any(tile.pixels[0, 0, 0] == POISON for tile in tiles):
            raise RuntimeError("this tile kills")
        return super().score(tiles)


async def test_waiting_tiles_are_scored_in_one_batch_and_each_job_gets_its_own_events() -> None:
    engine = Remembering()
    async with harness(engine, Batching(tiles=4)) as opened:
        jobs = [opened.submit(red) for red in (10, 250, 10)]
        opened.open()
        event = [await events(job) for job in jobs]
    assert engine.sizes == [3]
    assert opened.batches == [3]
    scores = [next(part for part in each if isinstance(part, Score)) for each in event]
    assert scores[0].evidence == scores[2].evidence != scores[1].evidence
    assert all(isinstance(each[-1], JobFinished) for each in event)
    assert sum(isinstance(part, str) for part in event[0]) == 2


async def test_a_failing_tile_does_not_affect_the_others_in_its_batch() -> None:
    engine = Remembering()
    async with harness(engine, Batching(tiles=4)) as opened:
        jobs = [opened.submit(red) for red in (10, POISON, 250)]
        opened.open()
        assert isinstance((await events(jobs[0]))[-1], JobFinished)
        with pytest.raises(EngineFailed, match="RuntimeError"):
            await events(jobs[1])
        assert isinstance((await events(jobs[2]))[-1], JobFinished)
    assert engine.sizes == [3, 1, 1, 1]
    assert opened.failures == ["engine_failed"]


class Exhausted(FakeEngine):
    def score(self, _: Sequence[Tile]) -> Sequence[Evidence]:
        raise MemoryError


async def test_running_out_of_memory_is_reported_as_such() -> None:
    async with harness(Exhausted()) as opened:
        job = opened.submit()
        opened.open()
        with pytest.raises(EngineOutOfMemory):
            await events(job)


class Slow(FakeEngine):
    def __init__(self) -> None:
        self.begun, self.go, self.closed = (threading.Event() for _ in range(3))
        self.scores = 0

    def score(self, tiles: Sequence[Tile]) -> Sequence[Evidence]:
        self.scores += len(tiles)
        self.begun.set()
        assert self.go.wait(30)
        return super().score(tiles)

    def explain(self, _: Evidence, __: Answer) -> Iterator[str]:
        try:
            while True:
                yield "and "
        except GeneratorExit:
            self.closed.set()


async def test_a_disconnected_clients_job_is_dropped_or_stopped() -> None:
    engine = Slow()
    async with harness(engine) as opened:
        begun, waits = opened.submit(), opened.submit()
        opened.open()
        assert await asyncio.to_thread(engine.begun.wait, 30)
        opened.queue.release(begun)
        opened.queue.release(waits)
        engine.go.set()
        while opened.workers.active:
            await asyncio.sleep(0.001)
    assert engine.scores == 1


async def test_generation_stops_between_two_pieces() -> None:
    engine = Slow()
    engine.go.set()
    async with harness(engine) as opened:
        job = opened.submit()
        opened.open()
        async for event in job.events():
            if isinstance(event, str):
                break
        opened.queue.release(job)
        assert await asyncio.to_thread(engine.closed.wait, 30)


async def test_a_model_that_hangs_is_abandoned_and_every_job_fails() -> None:
    engine = Slow()
    async with harness(engine, hang_seconds=0.05) as opened:
        begun, waits = opened.submit(), opened.submit()
        opened.open()
        for job in (begun, waits):
            with pytest.raises(EngineHung):
                await events(job)
        assert opened.workers.hung
        assert "silent" in str(opened.workers.trouble)
        engine.go.set()  # so that its thread ends


class Failing(FakeEngine):
    def __init__(self) -> None:
        self.broken = True

    def score(self, tiles: Sequence[Tile]) -> Sequence[Evidence]:
        if self.broken:
            raise RuntimeError("broken")
        return super().score(tiles)


async def test_a_model_that_fails_repeatedly_must_pass_the_self_test(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker, "RETRY_SECONDS", 0.01)
    engine = Failing()
    async with harness(engine) as opened:
        jobs = [opened.submit() for _ in range(MAX_FAILURES)]
        opened.open()
        for job in jobs:
            with pytest.raises(EngineFailed):
                await events(job)
        while opened.workers.trouble is None:
            await asyncio.sleep(0.001)
        with pytest.raises(ModelNotReady):
            await events(opened.submit())
        engine.broken = False
        while opened.workers.trouble is not None:
            await asyncio.sleep(0.001)
        assert isinstance((await events(opened.submit()))[-1], JobFinished)


class Elsewhere(FakeEngine):
    def score(self, _: Sequence[Tile]) -> Sequence[Evidence]:
        raise UpstreamChanged("http://model", "its fingerprint changed")


async def test_a_changed_upstream_is_reported_to_the_pool() -> None:
    async with harness(Elsewhere()) as opened:
        job = opened.submit()
        opened.open()
        with pytest.raises(UpstreamChanged):
            await events(job)
        while not opened.changes:
            await asyncio.sleep(0.001)


class Panic(BaseException):
    """As Rust's panics reach Python."""


class Wordless(FakeEngine):
    """Cannot begin an explanation of what it is most sure of."""

    def explain(self, evidence: Evidence, answer: Answer) -> Iterator[str]:
        if evidence.margin > 10:
            raise Panic
        return super().explain(evidence, answer)


async def test_an_explanation_that_fails_at_its_start_affects_no_other() -> None:
    async with harness(Wordless(), Batching(tiles=2)) as opened:
        fails, goes = opened.submit(250), opened.submit(10)
        opened.open()
        with pytest.raises(EngineFailed, match="Panic"):
            await events(fails)
        assert isinstance((await events(goes))[-1], JobFinished)
        assert isinstance((await events(opened.submit(10)))[-1], JobFinished)


class Forgetful(FakeEngine):
    def score(self, tiles: Sequence[Tile]) -> Sequence[Evidence]:
        return super().score(tiles)[1:]


async def test_an_engine_that_returns_too_little_has_failed() -> None:
    async with harness(Forgetful()) as opened:
        job = opened.submit()
        opened.open()
        with pytest.raises(EngineFailed, match="ValueError"):
            await events(job)


async def test_a_worker_that_crashes_fails_every_job() -> None:
    async with harness(FakeEngine()) as opened:
        waits = opened.submit()
        opened.break_observer()
        opened.open()
        with pytest.raises(ModelNotReady, match="queue broke"):
            await events(waits)
        assert opened.workers.hung
        assert "queue broke (RuntimeError)" in str(opened.workers.trouble)


async def test_a_truncated_explanation_is_no_answer() -> None:
    engine = Slow()
    engine.go.set()
    async with harness(engine) as opened:
        job = opened.submit()
        opened.open()
        assert await asyncio.to_thread(engine.begun.wait, 30)
        await opened.workers.close(ShuttingDown())
        with pytest.raises(ShuttingDown):
            await events(job)


class Returned(FakeEngine):
    """Its server went away, and came back with another model."""

    def __init__(self) -> None:
        self.scores = 0

    def score(self, tiles: Sequence[Tile]) -> Sequence[Evidence]:
        self.scores += len(tiles)
        if self.scores > MAX_FAILURES:
            raise UpstreamChanged("http://model", "its fingerprint changed")
        raise RuntimeError("gone")


async def test_the_self_test_notices_a_changed_upstream_too() -> None:
    async with harness(Returned()) as opened:
        jobs = [opened.submit() for _ in range(MAX_FAILURES)]
        opened.open()
        for job in jobs:
            with pytest.raises(EngineFailed):
                await events(job)
        while not opened.changes:
            await asyncio.sleep(0.001)
