from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Sequence

import httpx2 as httpx
import pytest
from starlette.testclient import TestClient

from healer.config import Settings
from healer.engines.base import Evidence
from healer.engines.choice import Choice
from healer.engines.fake import FakeEngine
from healer.errors import ModelIncomplete, ModelNotReady
from healer.imaging import Tile
from healer.main import create_app
from healer.queueing.deadline import Deadline
from healer.screening.screener import Screener
from healer.serving.service import Service
from tests.serving.conftest import png, wait_until_ready


class SlowEngine(FakeEngine):
    """Scores only when told to."""

    def __init__(self) -> None:
        self.allowed = threading.Event()
        self.asked = threading.Event()

    def score(self, tiles: Sequence[Tile]) -> Sequence[Evidence]:
        self.asked.set()
        assert self.allowed.wait(30)
        return super().score(tiles)


class BrokenEngine(FakeEngine):
    def score(self, tiles: Sequence[Tile]) -> Sequence[Evidence]:
        return [Evidence(margin=math.nan) for _ in tiles]


def test_not_ready_until_a_real_inference_has_succeeded() -> None:
    engine = SlowEngine()
    with TestClient(create_app(Settings(gate="off"), engine=engine)) as client:
        assert engine.asked.wait(30)
        response = client.get("/ready")
        assert response.status_code == 503
        assert response.json()["code"] == "model_not_ready"
        assert response.headers["retry-after"] == "5"
        health = client.get("/health").json()
        assert (health["ready"], health["reason"]) == (False, "the model is loading")
        assert health["model"] is None
        refused = client.post("/predict", files={"image_file": png()})
        assert (refused.status_code, refused.json()["code"]) == (503, "model_not_ready")
        engine.allowed.set()
        wait_until_ready(client)
        assert client.get("/health").json()["model"]["engine"] == "fake"


def test_an_engine_that_gives_no_number_is_never_ready() -> None:
    with TestClient(create_app(Settings(gate="off"), engine=BrokenEngine())) as client:
        reason = "the model is loading"
        while reason == "the model is loading":
            reason = client.get("/health").json()["reason"]
        assert "not a number" in reason
        assert client.get("/ready").status_code == 503


@pytest.mark.anyio
async def test_health_answers_while_a_prediction_runs() -> None:
    engine = SlowEngine()
    engine.allowed.set()
    app = create_app(Settings(gate="off"), engine=engine)
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://healer") as client,
    ):
        while (await client.get("/ready")).status_code != 200:
            await asyncio.sleep(0.01)
        engine.allowed.clear()
        engine.asked.clear()
        prediction = asyncio.create_task(client.post("/predict", files={"image_file": png()}))
        assert await asyncio.to_thread(engine.asked.wait, 30)
        assert (await client.get("/health")).status_code == 200
        assert not prediction.done()
        engine.allowed.set()
        assert (await prediction).status_code == 200


@pytest.mark.anyio
async def test_a_failure_to_load_is_the_reason() -> None:
    def fail() -> Screener:
        raise ModelIncomplete("models", "it holds no manifest")

    service = Service(Choice("medgemma", "asked for"), fail, Settings(_env_file=None))
    await service.start()
    while service.status.reason == "the model is loading":
        await asyncio.sleep(0.01)
    assert "it holds no manifest" in str(service.status.reason)
    with pytest.raises(ModelNotReady, match="it holds no manifest"):
        service.draw(Deadline.after(60))
    await service.stop()


@pytest.mark.anyio
async def test_a_librarys_own_failure_does_not_leave_loading_standing() -> None:
    def fail() -> Screener:
        raise RuntimeError("deep inside")

    service = Service(Choice("medgemma", "asked for"), fail, Settings(_env_file=None))
    await service.start()
    while service.status.reason == "the model is loading":
        await asyncio.sleep(0.01)
    assert "RuntimeError" in str(service.status.reason)
    await service.stop()
