from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psutil
import pytest

from healer import errors
from healer.quality.gate import LoadedTile
from healer.sandbox.loader import InProcess, Sandboxed, Worker, open_image_loader, sandbox_limits
from healer.sandbox.protocol import BASE_BYTES, Limits
from healer.settings.loading import Settings
from healer.settings.model import GateMode
from tests.conftest import REPO
from tests.images.hostile.parts import encode, flat, good
from tests.sandbox.conftest import HASTY, LIMITS

pytestmark = pytest.mark.anyio
PATIENT = Limits(LIMITS.max_pixels, LIMITS.max_bytes, seconds=1000)
TILE = good("PNG")


@asynccontextmanager
async def isolated(limits: Limits = LIMITS, count: int = 1) -> AsyncIterator[Sandboxed]:
    loader = Sandboxed(limits, count)
    await loader.start()
    try:
        async with asyncio.timeout(300):
            yield loader
    finally:
        await loader.stop()
        assert not any(psutil.pid_exists(pid) for pid in loader.pids)


async def test_another_picture_is_answered_while_one_decodes_for_ever(endless: bytes) -> None:
    async with isolated(PATIENT, 2) as loader:
        waiting = asyncio.create_task(loader.load(endless, "off"))
        for _ in range(5):
            assert (await loader.load(TILE, "off")).tile.width == 96
        assert not waiting.done()
    with pytest.raises(errors.ShuttingDown):  # stopping did not wait
        await waiting


async def test_stopping_while_a_process_starts_is_shutting_down(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The process never becomes ready: stopping must not report that as its fault."""
    entered = threading.Event()

    class Starting(Worker):
        def load(self, data: bytes, mode: GateMode, page: int | None = None) -> LoadedTile:
            entered.set()
            return super().load(data, mode, page)

    monkeypatch.setattr("healer.sandbox.loader.command", lambda *_: ["sleep", "1000"])
    monkeypatch.setattr("healer.sandbox.loader.Worker", Starting)
    async with isolated(PATIENT) as loader:
        waiting = asyncio.create_task(loader.load(TILE, "off"))
        await asyncio.to_thread(entered.wait)
    with pytest.raises(errors.ShuttingDown):
        await waiting


async def test_one_that_was_ended_is_replaced(endless: bytes) -> None:
    async with isolated(HASTY) as loader:
        before = loader.pids
        with pytest.raises(errors.ImageTooCostly):
            await loader.load(endless, "off")
        assert len(loader.pids) == 1
        assert loader.pids.isdisjoint(before)
        assert (await loader.load(TILE, "off")).tile.width == 96


async def test_one_that_died_while_idle_costs_no_picture() -> None:
    async with isolated() as loader:
        await loader.load(TILE, "off")
        (pid,) = loader.pids
        os.kill(pid, signal.SIGKILL)
        while psutil.Process(pid).status() != psutil.STATUS_ZOMBIE:
            await asyncio.sleep(0.01)
        assert (await loader.load(TILE, "off")).tile.width == 96


async def test_a_caller_that_leaves_costs_no_process() -> None:
    async with isolated() as loader:
        await loader.load(TILE, "off")
        before = loader.pids
        large = encode(flat(3000, 3000), "PNG")
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await loader.load(large, "off")
        assert (await loader.load(TILE, "off")).tile.width == 96
        assert loader.pids == before


async def test_unguarded_it_answers_alike() -> None:
    loader = InProcess(LIMITS.max_pixels)
    await loader.start()
    assert (await loader.load(TILE, "off")).tile.width == 96
    with pytest.raises(errors.EmptyFile):
        await loader.load(b"", "off")
    await loader.stop()


async def test_the_setting_decides() -> None:
    assert isinstance(open_image_loader(Settings(decoders=0)), InProcess)
    assert isinstance(open_image_loader(Settings()), Sandboxed)


def test_decoders_share_half_of_the_memory_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("healer.sandbox.loader.memory_limit_bytes", lambda: 2**30)
    assert sandbox_limits(Settings(decoders=2)).memory_bytes == BASE_BYTES + 2**28
    assert sandbox_limits(Settings(decoders=1)).memory_bytes == BASE_BYTES + 2**29
    monkeypatch.setattr("healer.sandbox.loader.memory_limit_bytes", lambda: 2**40)
    assert sandbox_limits(Settings()).memory_bytes == LIMITS.memory_bytes


def test_no_process_outlives_a_service_that_was_killed(endless: bytes) -> None:
    command = [sys.executable, "-m", "tests.sandbox.reader"]
    with subprocess.Popen(
        command, cwd=REPO, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as service:
        assert service.stdin is not None
        assert service.stdout is not None
        service.stdin.write(len(endless).to_bytes(8) + endless)
        service.stdin.flush()
        pids = [int(word) for word in service.stdout.readline().split()]
        workers = [psutil.Process(pid) for pid in pids]
        assert len(workers) == 2
        service.send_signal(signal.SIGKILL)
    _, left = psutil.wait_procs(workers, timeout=60)
    assert left == []
