"""The pipeline that folders, archives, evaluations and the service's workers share."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pytest

from healer.engines.base import Evidence
from healer.images.tile import Tile
from healer.screening.pipeline import THREAD_PREFIX, Ahead, score_stream
from healer.screening.screener import Score, Screener
from tests.fake_engine import FakeEngine

UNREADABLE, UNSCORABLE = 7, 9


@dataclass
class Item:
    number: int
    tile: Tile | None


def load(number: int) -> Item:
    tile = Tile(np.full((8, 8, 3), number, np.uint8))
    return Item(number, None if number == UNREADABLE else tile)


class Counting(FakeEngine):
    def __init__(self) -> None:
        self.batches: list[int] = []

    def score(self, tiles: Sequence[Tile]) -> Sequence[Evidence]:
        self.batches.append(len(tiles))
        numbers = [int(tile.pixels[0, 0, 0]) for tile in tiles]
        if UNSCORABLE in numbers:
            raise RuntimeError("of the model's library")
        return [Evidence(float(number)) for number in numbers]


def test_each_item_comes_in_order_with_its_score_or_why_it_has_none() -> None:
    stream = score_stream(Screener(Counting()), range(20), load, 4)
    results = [each for batch in stream for each in batch]
    assert [item.number for item, _ in results] == list(range(20))
    for item, result in results:
        if item.number == UNREADABLE:
            assert result is None
        elif item.number == UNSCORABLE:
            assert isinstance(result, RuntimeError)
        else:
            assert isinstance(result, Score)
            assert result.margin == item.number


def test_fixed_batches_are_the_same_however_fast_items_load() -> None:
    engine = Counting()
    stream = score_stream(Screener(engine), range(10, 21), load, 4, fixed=True)
    assert [[item.number for item, _ in batch] for batch in stream] == [
        [10, 11, 12, 13],
        [14, 15, 16, 17],
        [18, 19, 20],
    ]
    assert engine.batches == [4, 4, 3]


def test_a_stream_without_end_is_read_only_a_little_ahead_and_its_threads_end_with_it() -> None:
    drawn = 0

    def endless() -> Iterator[int]:
        nonlocal drawn
        while True:
            drawn += 1
            yield 0

    stream = score_stream(Screener(Counting()), endless(), load, 4)
    assert next(stream)
    next(stream)
    assert drawn <= 2 * 4 + 2 * 4
    stream.close()
    for thread in threading.enumerate():
        if thread.name.startswith(THREAD_PREFIX):
            thread.join(10)
            assert not thread.is_alive()


def test_what_is_ready_is_one_batch_and_nothing_is_loaded_far_ahead() -> None:
    started: list[int] = []
    two_done, lock = threading.Event(), threading.Lock()

    def step(item: int) -> int:
        with lock:
            started.append(item)
        if item == 0:
            assert two_done.wait(10)
        if item == 2:
            two_done.set()
        return item

    with ThreadPoolExecutor(2) as pool:
        ahead = Ahead(pool, step, range(100), size=2)
        assert ahead.take() == [0, 1]  # though more is ready
        assert max(started) < 2 + 2 * 2


class Meeting(Counting):
    """Scores nothing before two batches are with it, unless it is the last."""

    def __init__(self) -> None:
        super().__init__()
        self.meeting = threading.Barrier(2)

    def score(self, tiles: Sequence[Tile]) -> Sequence[Evidence]:
        if len(tiles) > 1:
            self.meeting.wait(10)
        return super().score(tiles)


def test_batches_side_by_side_are_full_and_come_in_order() -> None:
    engine = Meeting()
    stream = score_stream(Screener(engine), range(10, 30), load, 5, fixed=True, at_once=2)
    batches = [[item.number for item, _ in batch] for batch in stream]
    assert batches == [list(range(start, start + 5)) for start in range(10, 30, 5)]
    assert engine.batches == [5] * 4


def test_a_batch_that_was_scored_does_not_wait_for_items_that_take_long() -> None:
    answered = threading.Event()

    def slow(number: int) -> Item:
        if number == 3:
            assert answered.wait(10)
        return load(number)

    stream = score_stream(Screener(Counting()), range(6), slow, 4, at_once=2)
    found = [item.number for item, _ in next(stream)]
    answered.set()
    found += [item.number for batch in stream for item, _ in batch]
    assert found == list(range(6))


def test_what_loading_raises_ends_batches_side_by_side() -> None:
    def broken(number: int) -> Item:
        if number == 9:
            raise ConnectionError
        return load(number)

    stream = score_stream(Screener(Counting()), range(20), broken, 4, at_once=2)
    with pytest.raises(ConnectionError):
        list(stream)


def test_a_batch_is_full_once_all_of_it_is_loaded() -> None:
    hold, other = threading.Event(), Future[None]()

    def held(item: int) -> int:
        assert item != 1 or hold.wait(10)
        return item

    with ThreadPoolExecutor(2) as pool:
        ahead = Ahead(pool, held, range(4), size=3)
        other.set_result(None)
        assert not ahead.is_full_before(other)
        hold.set()
        assert ahead.is_full_before(Future())
        assert ahead.take() == [0, 1, 2]
        assert ahead.is_full_before(Future())  # what is left
        assert ahead.take() == [3]
        assert not ahead
