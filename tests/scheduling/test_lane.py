from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager

import pytest

from healer.engines.base import Answer, Evidence
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
from healer.scheduling.batching import Batching, ThroughputEstimator
from healer.scheduling.job import Job, JobEvent, JobFinished
from healer.scheduling.pool import WorkerPool
from healer.scheduling.queue import RequestQueue
from healer.scheduling.worker import DOUBT_AFTER
from healer.screening.screener import Score, Screener
from healer.telemetry.observer import Unobserved
from tests.fake_engine import FakeEngine
from tests.scheduling.conftest import later, tile

pytestmark = pytest.mark.anyio

POISON = 7


class Desk:
    """A line, lanes behind it, and what they told."""

    def __init__(self, engine: FakeEngine, batching: Batching, hang_seconds: float) -> None:
        self.failures: list[str] = []
        self.batches: list[int] = []
        self.changes: list[UpstreamChanged] = []
        observer = self._observer = Unobserved()
        observer.failed = self.failures.append  # type: ignore[method-assign,assignment]
        observer.taken = lambda waits: self.batches.append(len(waits))  # type: ignore[method-assign]
        self.line = RequestQueue(99)
        self.pace = ThroughputEstimator()
        self.lanes = WorkerPool(self.line, self.pace, observer, hang_seconds, self.changes.append)
        self._screener, self._batching = Screener(engine), batching

    def open(self) -> None:
        self.lanes.open([self._screener], self._batching)

    def break_observer(self) -> None:
        def fail(_: object) -> None:
            raise RuntimeError("a mistake of ours")

        self._observer.taken = fail  # type: ignore[method-assign,assignment]

    def ask(self, red: int = 200) -> Job:
        ticket = self.line.draw(later())
        self.line.join(ticket, tile(red))
        return ticket


@asynccontextmanager
async def desk(
    engine: FakeEngine, batching: Batching | None = None, hang_seconds: float = 60
) -> AsyncIterator[Desk]:
    opened = Desk(engine, batching or Batching(), hang_seconds)
    try:
        yield opened
    finally:
        await opened.lanes.close(ShuttingDown())


async def answer(ticket: Job) -> list[JobEvent]:
    return [heard async for heard in ticket.hear()]


class Remembering(FakeEngine):
    def __init__(self) -> None:
        self.sizes: list[int] = []

    def score(self, tiles: Sequence[Tile]) -> Sequence[Evidence]:
        self.sizes.append(len(tiles))
        if any(tile.pixels[0, 0, 0] == POISON for tile in tiles):
            raise RuntimeError("this tile kills")
        return super().score(tiles)


async def test_what_waits_is_looked_at_together_and_each_hears_its_own() -> None:
    engine = Remembering()
    async with desk(engine, Batching(tiles=4)) as opened:
        tickets = [opened.ask(red) for red in (10, 250, 10)]
        opened.open()
        heard = [await answer(ticket) for ticket in tickets]
    assert engine.sizes == [3]
    assert opened.batches == [3]
    looks = [next(part for part in each if isinstance(part, Score)) for each in heard]
    assert looks[0].evidence == looks[2].evidence != looks[1].evidence
    assert all(isinstance(each[-1], JobFinished) for each in heard)
    assert sum(isinstance(part, str) for part in heard[0]) == 2


async def test_one_tile_does_not_cost_its_neighbours_their_answers() -> None:
    engine = Remembering()
    async with desk(engine, Batching(tiles=4)) as opened:
        tickets = [opened.ask(red) for red in (10, POISON, 250)]
        opened.open()
        assert isinstance((await answer(tickets[0]))[-1], JobFinished)
        with pytest.raises(EngineFailed, match="RuntimeError"):
            await answer(tickets[1])
        assert isinstance((await answer(tickets[2]))[-1], JobFinished)
    assert engine.sizes == [3, 1, 1, 1]
    assert opened.failures == ["engine_failed"]


class Exhausted(FakeEngine):
    def score(self, _: Sequence[Tile]) -> Sequence[Evidence]:
        raise MemoryError


async def test_memory_that_runs_out_is_called_that() -> None:
    async with desk(Exhausted()) as opened:
        ticket = opened.ask()
        opened.open()
        with pytest.raises(EngineOutOfMemory):
            await answer(ticket)


class Slow(FakeEngine):
    def __init__(self) -> None:
        self.begun, self.go, self.closed = (threading.Event() for _ in range(3))
        self.looks = 0

    def score(self, tiles: Sequence[Tile]) -> Sequence[Evidence]:
        self.looks += len(tiles)
        self.begun.set()
        assert self.go.wait(30)
        return super().score(tiles)

    def explain(self, _: Evidence, __: Answer) -> Iterator[str]:
        try:
            while True:
                yield "and "
        except GeneratorExit:
            self.closed.set()


async def test_work_not_begun_is_dropped_and_begun_is_stopped_when_its_client_leaves() -> None:
    engine = Slow()
    async with desk(engine) as opened:
        begun, waits = opened.ask(), opened.ask()
        opened.open()
        assert await asyncio.to_thread(engine.begun.wait, 30)
        opened.line.leave(begun)
        opened.line.leave(waits)
        engine.go.set()
        while opened.lanes.at_work:
            await asyncio.sleep(0.001)
    assert engine.looks == 1


async def test_generation_stops_between_two_pieces() -> None:
    engine = Slow()
    engine.go.set()
    async with desk(engine) as opened:
        ticket = opened.ask()
        opened.open()
        async for heard in ticket.hear():
            if isinstance(heard, str):
                break
        opened.line.leave(ticket)
        assert await asyncio.to_thread(engine.closed.wait, 30)


async def test_a_model_that_hangs_is_given_up_and_everyone_hears_so() -> None:
    engine = Slow()
    async with desk(engine, hang_seconds=0.05) as opened:
        begun, waits = opened.ask(), opened.ask()
        opened.open()
        for ticket in (begun, waits):
            with pytest.raises(EngineHung):
                await answer(ticket)
        assert opened.lanes.hung
        assert "silent" in str(opened.lanes.trouble)
        engine.go.set()  # so that its thread ends


class Failing(FakeEngine):
    def __init__(self) -> None:
        self.broken = True

    def score(self, tiles: Sequence[Tile]) -> Sequence[Evidence]:
        if self.broken:
            raise RuntimeError("broken")
        return super().score(tiles)


async def test_a_model_that_fails_again_and_again_must_pass_the_self_test(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker, "AGAIN_SECONDS", 0.01)
    engine = Failing()
    async with desk(engine) as opened:
        tickets = [opened.ask() for _ in range(DOUBT_AFTER)]
        opened.open()
        for ticket in tickets:
            with pytest.raises(EngineFailed):
                await answer(ticket)
        while opened.lanes.trouble is None:
            await asyncio.sleep(0.001)
        with pytest.raises(ModelNotReady):
            await answer(opened.ask())
        engine.broken = False
        while opened.lanes.trouble is not None:
            await asyncio.sleep(0.001)
        assert isinstance((await answer(opened.ask()))[-1], JobFinished)


class Elsewhere(FakeEngine):
    def score(self, _: Sequence[Tile]) -> Sequence[Evidence]:
        raise UpstreamChanged("http://model", "its fingerprint changed")


async def test_that_the_model_is_another_one_now_is_told_on() -> None:
    async with desk(Elsewhere()) as opened:
        ticket = opened.ask()
        opened.open()
        with pytest.raises(UpstreamChanged):
            await answer(ticket)
        while not opened.changes:
            await asyncio.sleep(0.001)


class Chorus(FakeEngine):
    """Writes side by side."""

    def __init__(self) -> None:
        self.together: list[int] = []

    def explain_all(self, asked: Sequence[tuple[Evidence, Answer]]) -> list[Iterator[str]]:
        self.together.append(len(asked))
        return [self.explain(*each) for each in asked]


async def test_explanations_are_written_side_by_side_where_the_engine_can() -> None:
    engine = Chorus()
    async with desk(engine, Batching(tiles=3)) as opened:
        tickets = [opened.ask() for _ in range(3)]
        opened.open()
        texts = ["".join(x for x in await answer(t) if isinstance(x, str)) for t in tickets]
    assert engine.together == [3]
    assert len(set(texts)) == 1
    assert texts[0].endswith(".")


class Panic(BaseException):
    """As Rust's panics reach Python."""


class Wordless(Chorus):
    """Cannot begin an explanation of what it is most sure of."""

    def explain_all(self, asked: Sequence[tuple[Evidence, Answer]]) -> list[Iterator[str]]:
        if any(evidence.margin > 10 for evidence, _ in asked):
            raise Panic
        return super().explain_all(asked)


async def test_an_explanation_that_cannot_be_begun_costs_no_other() -> None:
    async with desk(Wordless(), Batching(tiles=2)) as opened:
        fails, goes = opened.ask(250), opened.ask(10)
        opened.open()
        with pytest.raises(EngineFailed, match="Panic"):
            await answer(fails)
        assert isinstance((await answer(goes))[-1], JobFinished)
        assert isinstance((await answer(opened.ask(10)))[-1], JobFinished)


class Forgetful(FakeEngine):
    def score(self, tiles: Sequence[Tile]) -> Sequence[Evidence]:
        return super().score(tiles)[1:]


async def test_an_engine_that_returns_too_little_has_failed() -> None:
    async with desk(Forgetful()) as opened:
        ticket = opened.ask()
        opened.open()
        with pytest.raises(EngineFailed, match="ValueError"):
            await answer(ticket)


async def test_a_lane_that_ends_by_a_mistake_is_not_overlooked() -> None:
    async with desk(FakeEngine()) as opened:
        waits = opened.ask()
        opened.break_observer()
        opened.open()
        with pytest.raises(ModelNotReady, match="queue broke"):
            await answer(waits)
        assert opened.lanes.hung
        assert "queue broke (RuntimeError)" in str(opened.lanes.trouble)


async def test_what_is_cut_short_is_not_taken_for_an_answer() -> None:
    engine = Slow()
    engine.go.set()
    async with desk(engine) as opened:
        ticket = opened.ask()
        opened.open()
        assert await asyncio.to_thread(engine.begun.wait, 30)
        await opened.lanes.close(ShuttingDown())
        with pytest.raises(ShuttingDown):
            await answer(ticket)


class Returned(FakeEngine):
    """Its server went away, and came back with another model."""

    def __init__(self) -> None:
        self.looks = 0

    def score(self, tiles: Sequence[Tile]) -> Sequence[Evidence]:
        self.looks += len(tiles)
        if self.looks > DOUBT_AFTER:
            raise UpstreamChanged("http://model", "its fingerprint changed")
        raise RuntimeError("gone")


async def test_another_model_is_noticed_by_the_self_test_too() -> None:
    async with desk(Returned()) as opened:
        tickets = [opened.ask() for _ in range(DOUBT_AFTER)]
        opened.open()
        for ticket in tickets:
            with pytest.raises(EngineFailed):
                await answer(ticket)
        while not opened.changes:
            await asyncio.sleep(0.001)
