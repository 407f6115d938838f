"""Memory, and the processes that read images"""

from __future__ import annotations

import os
import resource
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2 as httpx
import psutil
import pytest
from starlette.testclient import TestClient

from healer.main import create_app
from healer.sandbox.loader import Sandboxed
from healer.sandbox.protocol import Limits
from tests.fake_engine import FakeEngine
from tests.faults.fault import Fault, Shown, shows
from tests.faults.service import predict, settings, until
from tests.faults.supervised import supervised
from tests.images.hostile import corpus
from tests.server.conftest import png, wait_until_ready

LARGE = (6000, 6000)  # 108 MB once decoded
SPARE = 24 * 1024 * 1024


@shows(
    Fault(
        "There is no memory for an image",
        "the process may take 24 MiB more (`RLIMIT_AS`), the image is 108 MB once decoded",
        status=500,
        code="out_of_memory",
        recovery="nothing needs to; smaller images are answered meanwhile",
        also="Where the kernel ends the process instead, see *It is killed*.",
    )
)
@pytest.mark.skipif(sys.platform != "linux", reason="sets another process's limits")
def test_there_is_no_memory_left(shown: Shown, tmp_path: Path) -> None:
    with supervised(tmp_path, HEALER_DECODERS="1") as server:
        assert server.predict().status_code == 200  # all that is needed is loaded now
        before = resource.prlimit(server.pid, resource.RLIMIT_AS)
        allowed = psutil.Process(server.pid).memory_info().vms + SPARE
        resource.prlimit(server.pid, resource.RLIMIT_AS, (allowed, before[1]))
        large = {"image_file": png(size=LARGE)}
        shown.client(server.http.post("/predict", files=large))
        shown.probes(server.get)
        assert server.predict().status_code == 200
        resource.prlimit(server.pid, resource.RLIMIT_AS, before)
        shown.recovered(server.http.post("/predict", files=large))
        assert server.codes == []


@shows(
    Fault(
        "The process that reads an image is killed",
        "SIGKILL in the middle of a picture, as by the kernel when memory runs out",
        status=503,
        code="image_reader_lost",
        retry_after=5,
        recovery="nothing needs to; another process is in its place",
        also="One that dies between two pictures costs none. Where a picture makes its decoder "
        "crash it is 422 `image_too_costly`.",
    )
)
def test_a_decoder_is_killed(shown: Shown) -> None:
    endless = next(each.make() for each in corpus() if each.group == "never ends")
    app = create_app(settings(), engine=FakeEngine())
    app.state.image_loader = decoders = Sandboxed(Limits(40_000_000, 20 * 1024 * 1024, 1000), 1)
    with TestClient(app) as client, ThreadPoolExecutor(1) as pool:
        wait_until_ready(client)
        assert predict(client).status_code == 200
        (decoder,) = map(psutil.Process, decoders.pids)
        idle = decoder.cpu_times().user
        reading = pool.submit(client.post, "/predict", files={"image_file": endless})
        until(lambda: decoder.cpu_times().user > idle + 0.05)
        os.kill(decoder.pid, signal.SIGKILL)
        answer: httpx.Response = reading.result()
        shown.client(answer)
        shown.probes(client.get)
        (another,) = map(psutil.Process, decoders.pids)
        another.kill()
        until(lambda: another.status() == psutil.STATUS_ZOMBIE)
        shown.recovered(predict(client))
