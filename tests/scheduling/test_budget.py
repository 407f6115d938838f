from __future__ import annotations

import pytest

from healer.scheduling.batching import ThroughputEstimator
from healer.scheduling.queue import BudgetExceeded, MemoryBudget


def test_what_is_held_is_counted_and_given_back() -> None:
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


def test_whoever_is_alone_always_fits() -> None:
    budget = MemoryBudget(100)
    alone = budget.hold()
    alone.add(1000)
    with pytest.raises(BudgetExceeded):
        budget.hold().add(1)


def test_the_pace_follows_what_was_measured() -> None:
    pace = ThroughputEstimator()
    pace.took(2.0, tiles=1)
    assert pace.retry_after(tiles=3, lanes=1) == 6
    assert pace.retry_after(tiles=3, lanes=2) == 3
    for _ in range(50):
        pace.took(0.4, tiles=4)
    assert pace.seconds == pytest.approx(0.1, rel=0.01)
    assert pace.retry_after(tiles=1, lanes=1) == 1
    pace.took(10.0**9, tiles=1)
    assert pace.retry_after(tiles=1, lanes=1) == 3600
