from __future__ import annotations

import asyncio

import pytest

from healer.errors import DeadlineExceeded
from healer.scheduling.job import Job, JobFinished, QueuePosition
from healer.scheduling.queue import RequestQueue
from tests.scheduling.conftest import later, tile

pytestmark = pytest.mark.anyio


def enqueued(queue: RequestQueue) -> Job:
    job = queue.reserve(later())
    queue.enqueue(job, tile())
    return job


async def events_of(job: Job) -> list[object]:
    job.publish(JobFinished(0, 0))
    return [event async for event in job.events()]


async def test_first_come_first_served_by_reservation() -> None:
    queue = RequestQueue(9)
    slow_to_decode, quick = queue.reserve(later()), queue.reserve(later())
    queue.enqueue(quick, tile())
    queue.enqueue(slow_to_decode, tile())
    assert await queue.dequeue(1, 0) == [slow_to_decode]
    assert await queue.dequeue(1, 0) == [quick]


async def test_a_batch_is_at_most_as_large_as_requested() -> None:
    queue = RequestQueue(9)
    jobs = [enqueued(queue) for _ in range(5)]
    assert await queue.dequeue(3, 0) == jobs[:3]
    assert await queue.dequeue(3, 0) == jobs[3:]


async def test_the_first_waits_for_a_full_batch() -> None:
    queue = RequestQueue(9)
    first = enqueued(queue)
    taking = asyncio.create_task(queue.dequeue(2, 60))
    await asyncio.sleep(0)
    second = enqueued(queue)
    assert await taking == [first, second]


async def test_a_partial_batch_is_dequeued_after_its_wait() -> None:
    queue = RequestQueue(9)
    alone = enqueued(queue)
    assert await queue.dequeue(2, 0.001) == [alone]


async def test_a_place_is_held_from_reservation_to_dequeuing_or_release() -> None:
    queue = RequestQueue(2)
    gone, stays = queue.reserve(later()), enqueued(queue)
    assert queue.full
    queue.release(gone)
    queue.release(gone)
    assert (queue.full, queue.reserved) == (False, 1)
    enqueued(queue)
    assert queue.full
    assert await queue.dequeue(1, 0) == [stays]
    assert not queue.full


async def test_an_idle_worker_is_a_place_too() -> None:
    queue = RequestQueue(1)
    taking = asyncio.create_task(queue.dequeue(1, 0))
    await asyncio.sleep(0)
    job = queue.reserve(later())
    assert not queue.full
    queue.reserve(later())
    assert queue.full
    queue.enqueue(job, tile())
    assert await taking == [job]


async def test_positions_are_published_as_they_change_and_zero_once_dequeued() -> None:
    queue = RequestQueue(9)
    first, second, third = (enqueued(queue) for _ in range(3))
    await queue.dequeue(1, 0)
    queue.release(second)
    await queue.dequeue(1, 0)
    assert await events_of(first) == [QueuePosition(1), QueuePosition(0), JobFinished(0, 0)]
    assert await events_of(third) == [*map(QueuePosition, (3, 2, 1, 0)), JobFinished(0, 0)]


async def test_a_job_that_does_not_wait_gets_no_position() -> None:
    queue = RequestQueue(9)
    taking = asyncio.create_task(queue.dequeue(1, 0))
    await asyncio.sleep(0)
    job = enqueued(queue)
    await taking
    assert await events_of(job) == [JobFinished(0, 0)]


async def test_a_failure_ends_every_waiting_job() -> None:
    queue = RequestQueue(9)
    job = enqueued(queue)
    queue.fail(RuntimeError("gone"))
    assert queue.reserved == 0
    with pytest.raises(RuntimeError, match="gone"):
        _ = [event async for event in job.events() if not isinstance(event, QueuePosition)]


async def test_a_job_ends_at_its_deadline() -> None:
    queue = RequestQueue(9)
    job = queue.reserve(later(0.001))
    queue.enqueue(job, tile())
    with pytest.raises(DeadlineExceeded, match=r"within 0\.001 s"):
        _ = [event async for event in job.events()]


async def test_the_queues_length_is_reported_at_every_change() -> None:
    depths: list[int] = []
    queue = RequestQueue(9, depths.append)
    jobs = [enqueued(queue) for _ in range(3)]
    queue.release(jobs[1])
    await queue.dequeue(9, 0)
    assert depths == [1, 2, 3, 2, 0]


async def test_an_image_that_is_still_decoded_is_not_enqueued_after_a_failure() -> None:
    queue = RequestQueue(9)
    drawn = queue.reserve(later())
    queue.fail(RuntimeError("gone"))
    queue.enqueue(drawn, tile())
    assert queue.reserved == 0
    with pytest.raises(RuntimeError, match="gone"):
        _ = [event async for event in drawn.events()]
