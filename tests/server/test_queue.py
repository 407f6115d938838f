"""Back-pressure as a client sees it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import httpx2 as httpx
import pytest
from fastapi import FastAPI
from starlette.testclient import TestClient

from healer.engines.base import Answer, Evidence
from healer.images.tile import Tile
from healer.main import create_app
from healer.settings.loading import Settings
from tests.fake_engine import FakeEngine
from tests.server.conftest import png, wait_until_ready
from tests.server.test_events import STREAM, events_of


class Gated(FakeEngine):
    """Scores only while its gate is open; counts its scores, the self-test's aside."""

    def __init__(self) -> None:
        self.gate, self.begun, self.stopped = (threading.Event() for _ in range(3))
        self.gate.set()
        self.scores = -1

    def score(self, tiles: Sequence[Tile]) -> Sequence[Evidence]:
        self.scores += len(tiles)
        if not self.gate.is_set():
            self.begun.set()
            assert self.gate.wait(30)
        return super().score(tiles)


def settings(**changes: Any) -> Settings:  # noqa: ANN401 - a setting's own type decides
    return Settings(_env_file=None, gate="off", **changes)


@asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=httpx.ASGITransport(app), base_url="http://healer", timeout=60
        ) as client,
    ):
        while (await client.get("/ready")).status_code != 200:
            await asyncio.sleep(0.01)
        yield client


def post(client: httpx.AsyncClient, **headers: str) -> asyncio.Task[httpx.Response]:
    sent = client.post("/predict", files={"image_file": png()}, headers=headers)
    return asyncio.create_task(sent)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():
        await asyncio.sleep(0.001)


@pytest.mark.anyio
async def test_a_stream_reports_the_position_in_the_queue() -> None:
    engine = Gated()
    app = create_app(settings(), engine=engine)
    async with served(app) as client:
        engine.gate.clear()
        first = post(client)
        assert await asyncio.to_thread(engine.begun.wait, 30)
        second = post(client)
        await until(lambda: app.state.service.waiting == 1)
        third = post(client, **STREAM)
        await until(lambda: app.state.service.waiting == 2)
        engine.gate.set()
        events = events_of((await third).text)
        await asyncio.gather(first, second)
    positions = [data["position"] for name, data in events if name == "queued"]
    assert positions[-1] == 0
    assert positions == sorted(positions, reverse=True)
    assert [name for name, _ in events if name != "queued"] == [
        *("verdict", "explanation", "explanation", "answer")
    ]
    assert events[-1][1]["timings_ms"]["queue"] > 0


@pytest.mark.anyio
async def test_an_answer_that_comes_too_late_is_a_504_and_its_work_is_dropped() -> None:
    engine = Gated()
    async with served(create_app(settings(), engine=engine)) as client:
        engine.gate.clear()
        first = post(client)
        assert await asyncio.to_thread(engine.begun.wait, 30)
        late = await post(client, **{"X-Request-Timeout": "0.05"})
        assert (late.status_code, late.json()["code"]) == (504, "deadline_exceeded")
        assert late.json()["seconds"] == 0.05
        streamed = await post(client, **{"X-Request-Timeout": "0.5", **STREAM})
        begun = streamed.status_code == 200  # unless the time was up before the first event
        problem = events_of(streamed.text)[-1][1] if begun else streamed.json()
        assert problem["code"] == "deadline_exceeded"
        engine.gate.set()
        assert (await first).status_code == 200
    assert engine.scores == 1


@pytest.mark.parametrize("timeout", ["0", "-1", "nan", "inf", "soon", ""])
def test_a_time_out_that_is_none_is_refused(client: TestClient, timeout: str) -> None:
    files = {"image_file": png()}
    response = client.post("/predict", files=files, headers={"X-Request-Timeout": timeout})
    assert (response.status_code, response.json()["code"]) == (400, "invalid_timeout")


def test_the_operators_time_out_is_the_longest() -> None:
    engine = Gated()
    app = create_app(settings(request_timeout=0.05), engine=engine)
    with TestClient(app) as client:
        wait_until_ready(client)
        engine.gate.clear()
        headers = {"X-Request-Timeout": "60"}
        response = client.post("/predict", files={"image_file": png()}, headers=headers)
        assert (response.status_code, response.json()["seconds"]) == (504, 0.05)
        engine.gate.set()


@pytest.mark.anyio
async def test_pictures_are_held_within_a_budget_and_one_alone_always_fits() -> None:
    engine = Gated()
    app = create_app(settings(upload_budget_mb=1), engine=engine)
    large = {"image_file": png(size=(1200, 1200))}  # 4.1 MiB once decoded
    async with served(app) as client:
        assert (await client.post("/predict", files=large)).status_code == 200
        engine.gate.clear()
        first = post(client)
        assert await asyncio.to_thread(engine.begun.wait, 30)
        refused = await client.post("/predict", files=large)
        assert (refused.status_code, refused.json()["code"]) == (429, "uploads_full")
        assert int(refused.headers["retry-after"]) >= 1
        engine.gate.set()
        assert (await first).status_code == 200
        assert app.state.service.budget.held == 0
        assert (await client.post("/predict", files=large)).status_code == 200


class Endless(FakeEngine):
    tested = False

    def explain(self, evidence: Evidence, answer: Answer) -> Iterator[str]:
        if not self.tested:
            self.tested = True
            yield from super().explain(evidence, answer)
            return
        while True:
            yield "and "


def test_a_generation_ends_at_the_deadline() -> None:
    app = create_app(settings(), engine=Endless())
    with TestClient(app) as client:
        wait_until_ready(client)
        headers = {"X-Request-Timeout": "0.2"}
        response = client.post("/predict", files={"image_file": png()}, headers=headers)
        assert response.json()["code"] == "deadline_exceeded"
        while app.state.service.active:
            pass


def test_replicas_answer_side_by_side() -> None:
    from healer.screening.opening import EngineChoice
    from healer.screening.screener import Screener
    from healer.server.service import Service

    async def predict_two() -> None:
        engines = [Gated(), Gated()]
        left = iter(engines)
        service = Service(
            EngineChoice("fake", "a test"), lambda: Screener(next(left)), settings(replicas=2)
        )
        await service.start()
        while service.status.reason:
            await asyncio.sleep(0.001)
        for engine in engines:
            engine.gate.clear()
        tasks = [asyncio.create_task(predict(service)) for _ in range(2)]
        for engine in engines:
            assert await asyncio.to_thread(engine.begun.wait, 30)
        for engine in engines:
            engine.gate.set()
        await asyncio.gather(*tasks)
        await service.stop()

    async def predict(service: Service) -> None:
        from healer.scheduling.job import Deadline
        from healer.screening.screener import known_tile

        await service.screen(service.reserve(Deadline.after(60)), known_tile())

    asyncio.run(predict_two())
