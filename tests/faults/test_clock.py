"""The clock"""

from __future__ import annotations

import shutil
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from healer.audit.chain import verify
from healer.audit.store import Store
from tests.conftest import REPO
from tests.faults.fault import Fault, Shown, shows
from tests.faults.service import until
from tests.faults.supervised import Supervised, supervised

DAY = 24 * 60 * 60


class Clock:
    """The wall clock of another process."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.jump(0)

    def jump(self, seconds: int) -> None:
        with self.file.open("r+b" if self.file.exists() else "wb") as stream:
            stream.write(struct.pack("=q", seconds))


@pytest.fixture
def shim(tmp_path: Path) -> Path:
    compiler = shutil.which("cc")
    if compiler is None or sys.platform != "linux":
        pytest.skip("needs Linux and a C compiler to move another process's clock")
    source, built = REPO / "tests" / "faults" / "clock.c", tmp_path / "clock.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", built, source, "-ldl"], check=True)
    return built


def refused_again(server: Supervised) -> str:
    answer = server.predict()
    assert answer.status_code == 429, answer.text
    return str(answer.headers["retry-after"])


@shows(
    Fault(
        "The wall clock jumps",
        "by a day forwards, then two back, while images wait",
        status=200,
        recovery="nothing needs to",
        also="Deadlines, Retry-After and stage times are of a clock that does not jump; the audit "
        "log keeps its order, and the times that the clock showed.",
    )
)
def test_the_clock_jumps(shown: Shown, tmp_path: Path, shim: Path) -> None:
    clock, audit = Clock(tmp_path / "clock"), f"sqlite:///{tmp_path}/audit.db"
    with (
        supervised(
            tmp_path,
            HEALER_QUEUE="1",
            HEALER_AUDIT=audit,
            HEALER_TEST_CLOCK=str(clock.file),
            LD_PRELOAD=str(shim),
        ) as server,
        ThreadPoolExecutor(2) as pool,
    ):
        for seconds in (DAY, -DAY):
            server.hold()
            waiting = [pool.submit(server.predict, **{"X-Request-Timeout": "60"}) for _ in range(2)]
            until(lambda: server.waiting() == 1 and server.predict().status_code == 429)
            before = refused_again(server)
            clock.jump(seconds)
            assert refused_again(server) == before
            shown.probes(server.get)
            assert 0 <= server.get("/health").json()["uptime_seconds"] < DAY / 2
            server.go_on()
            for answer in waiting:
                shown.client(answer.result())
                assert all(0 <= ms < DAY for ms in answer.result().json()["timings_ms"].values())
        shown.recovered(server.predict())
    with closing(Store(audit)) as store:
        links = list(store.links())
    verify(links)
    days = {offset_from_now(str(link.content["time"])).days for link in links}
    assert days == {0, -2}, "the clock did jump"


def offset_from_now(time: str) -> timedelta:
    """Since now; a day ahead is 0 days and some."""
    return datetime.fromisoformat(time) - datetime.now(UTC)
