"""/ready, where the model is behind another server: that is probed seldom, under any load."""

from __future__ import annotations

import asyncio
import threading

import pytest

from healer.errors import HealerError, UpstreamKeyRejected, UpstreamUnreachable
from healer.server import upstream_probe
from healer.server.upstream_probe import UpstreamProbe
from tests.fake_engine import FakeEngine

pytestmark = pytest.mark.anyio


class Elsewhere(FakeEngine):
    """Says how it is once `gate` is open."""

    def __init__(self, found: HealerError | None = None) -> None:
        self.found = found
        self.gate = threading.Event()
        self.gate.set()
        self.calls = 0
        self.threads: set[str] = set()

    def trouble(self) -> HealerError | None:
        self.calls += 1
        self.threads.add(threading.current_thread().name)
        self.gate.wait(60)
        return self.found


async def test_what_was_found_is_believed_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    engine, probe = Elsewhere(), UpstreamProbe()
    assert [await probe.error(engine) for _ in range(50)] == [None] * 50
    assert engine.calls == 1
    engine.found = UpstreamUnreachable("http://model", "gone")
    monkeypatch.setattr(upstream_probe, "FRESH_SECONDS", 0)
    assert await probe.error(engine) is engine.found
    assert engine.calls == 2
    probe.close()


async def test_concurrent_probes_share_one_call_in_its_own_thread() -> None:
    engine, probe = Elsewhere(UpstreamKeyRejected("http://model", "status 401")), UpstreamProbe()
    engine.gate.clear()
    tasks = [asyncio.create_task(probe.error(engine)) for _ in range(100)]
    while not engine.calls:
        await asyncio.sleep(0.001)
    # The threads that check callers' tokens are free meanwhile.
    assert await asyncio.wait_for(asyncio.to_thread(lambda: "free"), 30) == "free"
    engine.gate.set()
    assert await asyncio.gather(*tasks) == [engine.found] * 100
    assert engine.calls == 1
    assert [name.rpartition("_")[0] for name in engine.threads] == ["upstream-probe"]
    probe.close()


async def test_a_server_that_says_nothing_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(upstream_probe, "TIMEOUT_SECONDS", 0.01)
    engine, probe = Elsewhere(), UpstreamProbe()
    engine.gate.clear()
    for _ in range(3):
        found = await probe.error(engine)
        assert "kept silent" in str(found)
        assert found is not None
        assert found.retryable
    assert engine.calls == 1
    engine.gate.set()
    monkeypatch.setattr(upstream_probe, "TIMEOUT_SECONDS", 60)
    assert await probe.error(engine) is None
    assert engine.calls == 1
    probe.close()


async def test_another_engine_is_probed_again() -> None:
    former, latter, probe = Elsewhere(), Elsewhere(), UpstreamProbe()
    await probe.error(former)
    await probe.error(latter)
    assert (former.calls, latter.calls) == (1, 1)
    probe.close()


async def test_a_caller_that_leaves_ends_nobody_elses_call() -> None:
    engine, probe = Elsewhere(), UpstreamProbe()
    engine.gate.clear()
    leaving, staying = (asyncio.create_task(probe.error(engine)) for _ in range(2))
    while not engine.calls:
        await asyncio.sleep(0.001)
    leaving.cancel()
    engine.gate.set()
    assert await staying is None
    assert engine.calls == 1
    probe.close()


async def test_it_can_be_used_again_after_it_was_closed() -> None:
    engine, probe = Elsewhere(), UpstreamProbe()
    await probe.error(engine)
    probe.close()
    assert await probe.error(engine) is None
    assert engine.calls == 2
    probe.close()
