from __future__ import annotations

import pytest

from healer.scheduling.queue import BudgetExceeded, MemoryBudget, ThroughputEstimator


def test_reserved_memory_is_counted_and_released() -> None:
    budget = MemoryBudget(100)
    one, other = budget.hold(), budget.hold()
    one.add(40)
    one.add(20)
    other.add(40)
    with pytest.raises(BudgetExceeded):
        other.add(1)
    assert budget.held == 100
    one.release()
    one.release()
    assert budget.held == 40
    other.add(60)


def test_a_reservation_that_is_alone_always_fits() -> None:
    budget = MemoryBudget(100)
    alone = budget.hold()
    alone.add(1000)
    with pytest.raises(BudgetExceeded):
        budget.hold().add(1)


def test_the_estimate_follows_measured_throughput() -> None:
    throughput = ThroughputEstimator()
    throughput.record(2.0, tiles=1)
    assert throughput.retry_after(tiles=3, workers=1) == 6
    assert throughput.retry_after(tiles=3, workers=2) == 3
    for _ in range(50):
        throughput.record(0.4, tiles=4)
    assert throughput.seconds == pytest.approx(0.1, rel=0.01)
    assert throughput.retry_after(tiles=1, workers=1) == 1
    throughput.record(10.0**9, tiles=1)
    assert throughput.retry_after(tiles=1, workers=1) == 3600
