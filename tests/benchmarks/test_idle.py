from __future__ import annotations

import pytest

from benchmarks import idle
from benchmarks.errors import MachineBusy
from benchmarks.idle import Watch, check
from healer.cli.speed import busy_seconds, own_seconds


def test_a_busy_machine_is_refused() -> None:
    with pytest.raises(MachineBusy, match="--anyway"):
        check(0.8, anyway=False)


def test_unless_requested_to_continue() -> None:
    check(0.8, anyway=True)
    check(0.01, anyway=False)


def test_others_are_what_is_not_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    busy, own, now = iter([100.0, 130.0]), iter([10.0, 25.0]), iter([0.0, 10.0])
    monkeypatch.setattr(idle, "busy_seconds", lambda: next(busy))
    monkeypatch.setattr(idle, "own_seconds", lambda: next(own))
    monkeypatch.setattr("benchmarks.idle.time.perf_counter", lambda: next(now))
    assert Watch().others() == 1.5


def test_the_machines_own_clocks_can_be_read() -> None:
    assert busy_seconds() >= own_seconds() > 0
