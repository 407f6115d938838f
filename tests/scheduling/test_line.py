from __future__ import annotations

import asyncio

import pytest

from healer.errors import DeadlineExceeded
from healer.scheduling.job import Job, JobFinished, QueuePosition
from healer.scheduling.queue import RequestQueue
from tests.scheduling.conftest import later, tile

pytestmark = pytest.mark.anyio


def joined(line: RequestQueue) -> Job:
    ticket = line.draw(later())
    line.join(ticket, tile())
    return ticket


async def heard_by(ticket: Job) -> list[object]:
    ticket.tell(JobFinished(0, 0))
    return [heard async for heard in ticket.hear()]


async def test_first_come_first_served_by_when_the_ticket_was_drawn() -> None:
    line = RequestQueue(9)
    slow_to_decode, quick = line.draw(later()), line.draw(later())
    line.join(quick, tile())
    line.join(slow_to_decode, tile())
    assert await line.take(1, 0) == [slow_to_decode]
    assert await line.take(1, 0) == [quick]


async def test_a_batch_is_what_waits_and_no_more_than_asked() -> None:
    line = RequestQueue(9)
    tickets = [joined(line) for _ in range(5)]
    assert await line.take(3, 0) == tickets[:3]
    assert await line.take(3, 0) == tickets[3:]


async def test_the_first_waits_for_company() -> None:
    line = RequestQueue(9)
    first = joined(line)
    taking = asyncio.create_task(line.take(2, 60))
    await asyncio.sleep(0)
    second = joined(line)
    assert await taking == [first, second]


async def test_but_not_for_ever() -> None:
    line = RequestQueue(9)
    alone = joined(line)
    assert await line.take(2, 0.001) == [alone]


async def test_the_line_is_full_from_the_drawing_of_a_ticket_to_its_taking_or_leaving() -> None:
    line = RequestQueue(2)
    gone, stays = line.draw(later()), joined(line)
    assert line.full
    line.leave(gone)
    line.leave(gone)
    assert (line.full, line.held) == (False, 1)
    joined(line)
    assert line.full
    assert await line.take(1, 0) == [stays]
    assert not line.full


async def test_a_lane_that_waits_is_a_place_too() -> None:
    line = RequestQueue(1)
    taking = asyncio.create_task(line.take(1, 0))
    await asyncio.sleep(0)
    ticket = line.draw(later())
    assert not line.full
    line.draw(later())
    assert line.full
    line.join(ticket, tile())
    assert await taking == [ticket]


async def test_positions_are_told_as_they_change_and_zero_once_taken() -> None:
    line = RequestQueue(9)
    first, second, third = (joined(line) for _ in range(3))
    await line.take(1, 0)
    line.leave(second)
    await line.take(1, 0)
    assert await heard_by(first) == [QueuePosition(1), QueuePosition(0), JobFinished(0, 0)]
    assert await heard_by(third) == [*map(QueuePosition, (3, 2, 1, 0)), JobFinished(0, 0)]


async def test_one_that_does_not_wait_hears_of_no_position() -> None:
    line = RequestQueue(9)
    taking = asyncio.create_task(line.take(1, 0))
    await asyncio.sleep(0)
    ticket = joined(line)
    await taking
    assert await heard_by(ticket) == [JobFinished(0, 0)]


async def test_everyone_who_waits_hears_that_nobody_will_come() -> None:
    line = RequestQueue(9)
    ticket = joined(line)
    line.fail(RuntimeError("gone"))
    assert line.held == 0
    with pytest.raises(RuntimeError, match="gone"):
        _ = [heard async for heard in ticket.hear() if not isinstance(heard, QueuePosition)]


async def test_a_ticket_is_over_when_its_time_is_up() -> None:
    line = RequestQueue(9)
    ticket = line.draw(later(0.001))
    line.join(ticket, tile())
    with pytest.raises(DeadlineExceeded, match=r"within 0\.001 s"):
        _ = [heard async for heard in ticket.hear()]


async def test_how_many_wait_is_told_at_every_change() -> None:
    depths: list[int] = []
    line = RequestQueue(9, depths.append)
    tickets = [joined(line) for _ in range(3)]
    line.leave(tickets[1])
    await line.take(9, 0)
    assert depths == [1, 2, 3, 2, 0]


async def test_a_picture_that_is_still_decoded_need_not_come_any_more() -> None:
    line = RequestQueue(9)
    drawn = line.draw(later())
    line.fail(RuntimeError("gone"))
    line.join(drawn, tile())
    assert line.held == 0
    with pytest.raises(RuntimeError, match="gone"):
        _ = [heard async for heard in drawn.hear()]
