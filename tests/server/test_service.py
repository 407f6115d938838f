from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Sequence

import httpx2 as httpx
import pytest
from starlette.testclient import TestClient

from healer.engines.base import Evidence
from healer.errors import (
    HealerError,
    ModelIncomplete,
    ModelNotReady,
    ModelUnavailable,
    ShuttingDown,
    UpstreamChanged,
    UpstreamKeyRejected,
    UpstreamUnreachable,
)
from healer.images.tile import Tile
from healer.main import create_app
from healer.scheduling.job import Deadline
from healer.screening.opening import EngineChoice
from healer.screening.screener import Screener, known_tile
from healer.server import service as service_module
from healer.server.service import Service
from healer.settings.loading import Settings
from tests.fake_engine import FakeEngine
from tests.server.conftest import png, wait_until_ready


class SlowEngine(FakeEngine):
    """Scores only when `go` is set."""

    def __init__(self) -> None:
        self.allowed = threading.Event()
        self.tasks = threading.Event()

    def score(self, tiles: Sequence[Tile]) -> Sequence[Evidence]:
        self.tasks.set()
        assert self.allowed.wait(30)
        return super().score(tiles)


class BrokenEngine(FakeEngine):
    def score(self, tiles: Sequence[Tile]) -> Sequence[Evidence]:
        return [Evidence(margin=math.nan) for _ in tiles]


def test_not_ready_until_a_real_inference_has_succeeded() -> None:
    engine = SlowEngine()
    with TestClient(create_app(Settings(gate="off"), engine=engine)) as client:
        assert engine.tasks.wait(30)
        response = client.get("/ready")
        assert response.status_code == 503
        assert response.json()["code"] == "model_not_ready"
        assert response.headers["retry-after"] == "5"
        problem = response.json()
        assert (problem["retryable"], problem["retry_after"]) == (True, 5)
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
        for refused in (
            client.get("/ready"),
            client.post("/predict", files={"image_file": png()}),
        ):
            problem = refused.json()
            assert (refused.status_code, problem["code"]) == (503, "model_unavailable")
            assert "retry-after" not in refused.headers
            assert (problem["retryable"], problem["retry_after"]) == (False, None)


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
        engine.tasks.clear()
        prediction = asyncio.create_task(client.post("/predict", files={"image_file": png()}))
        assert await asyncio.to_thread(engine.tasks.wait, 30)
        assert (await client.get("/health")).status_code == 200
        assert not prediction.done()
        engine.allowed.set()
        assert (await prediction).status_code == 200


@pytest.mark.anyio
async def test_a_failure_to_load_is_the_reason() -> None:
    def fail() -> Screener:
        raise ModelIncomplete("models", "it holds no manifest")

    service = Service(EngineChoice("medgemma", "requested"), fail, Settings(_env_file=None))
    await service.start()
    while service.status.reason == "the model is loading":
        await asyncio.sleep(0.01)
    assert "it holds no manifest" in str(service.status.reason)
    with pytest.raises(ModelNotReady, match="it holds no manifest"):
        service.reserve(Deadline.after(60))
    await service.stop()


@pytest.mark.anyio
async def test_a_librarys_own_failure_does_not_leave_loading_standing() -> None:
    def fail() -> Screener:
        raise RuntimeError("deep inside")

    service = Service(EngineChoice("medgemma", "requested"), fail, Settings(_env_file=None))
    await service.start()
    while service.status.reason == "the model is loading":
        await asyncio.sleep(0.01)
    assert "RuntimeError" in str(service.status.reason)
    await service.stop()


class Elsewhere(FakeEngine):
    """Behind a server that lists its model, and cannot score until it is well."""

    def __init__(self, well: threading.Event) -> None:
        self.closed = False
        self._well = well

    def score(self, tiles: Sequence[Tile]) -> Sequence[Evidence]:
        if not self._well.is_set():
            raise UpstreamUnreachable("http://model", "status 500")
        return super().score(tiles)

    def trouble(self) -> HealerError | None:
        return None if self._well.is_set() else UpstreamChanged("http://model", "another one")

    def close(self) -> None:
        self.closed = True


class Opening:
    """Opens engines behind one server, and remembers them."""

    def __init__(self) -> None:
        self.well = threading.Event()
        self.opened: list[Elsewhere] = []

    def __call__(self) -> Screener:
        self.opened.append(Elsewhere(self.well))
        return Screener(self.opened[-1])


def elsewhere() -> tuple[Service, Opening]:
    opening = Opening()
    return Service(EngineChoice("openai", "a test"), opening, Settings(_env_file=None)), opening


@pytest.mark.anyio
async def test_what_fails_its_first_question_is_closed_before_another_is_opened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(service_module, "RETRY_SECONDS", 0.001)
    service, opening = elsewhere()
    await service.start()
    while len(opening.opened) < 4:
        await asyncio.sleep(0.001)
    assert all(engine.closed for engine in opening.opened[:3])
    opening.well.set()
    while service.status.reason:
        await asyncio.sleep(0.001)
    assert not opening.opened[-1].closed
    await service.stop()
    assert opening.opened[-1].closed


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("found", "kind"),
    [
        (UpstreamKeyRejected("http://model", "status 401"), ModelUnavailable),
        (UpstreamUnreachable("http://model", "status 500"), ModelNotReady),
    ],
)
async def test_what_nobody_mends_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch, found: HealerError, kind: type[ModelNotReady]
) -> None:
    """Neither once it serves, nor before: the model's server is called on all the same."""
    monkeypatch.setattr(service_module, "RETRY_SECONDS", 0.001)
    service, opening = elsewhere()
    opening.well.set()
    await service.start()
    while service.status.reason:
        await asyncio.sleep(0.001)
    monkeypatch.setattr(Elsewhere, "trouble", lambda _: found)
    trouble = await service.readiness_error()
    assert type(trouble) is kind
    assert trouble.reason == str(found)
    await service.stop()

    def fail() -> Screener:
        raise found

    service = Service(EngineChoice("openai", "a test"), fail, Settings(_env_file=None))
    await service.start()
    while service.status.reason == "the model is loading":
        await asyncio.sleep(0.001)
    with pytest.raises(ModelNotReady) as refused:
        service.reserve(Deadline.after(60))
    assert type(refused.value) is kind
    await service.stop()


@pytest.mark.anyio
async def test_stopping_while_another_model_is_probed_opens_no_more(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(service_module, "RETRY_SECONDS", 0.001)
    service, opening = elsewhere()
    opening.well.set()
    await service.start()
    while service.status.reason:
        await asyncio.sleep(0.001)
    opening.well.clear()
    assert "another one" in str(await service.readiness_error())
    await service.stop()
    opened = len(opening.opened)
    await asyncio.sleep(0.05)
    assert len(opening.opened) == opened
    assert all(engine.closed for engine in opening.opened)


@pytest.mark.anyio
async def test_dismissed_requests_get_an_answer_and_no_others_are_admitted() -> None:
    service = Service(
        EngineChoice("fake", "a test"), lambda: Screener(engine), Settings(_env_file=None)
    )
    engine = SlowEngine()
    engine.allowed.set()
    await service.start()
    while service.status.reason:
        await asyncio.sleep(0.001)
    engine.allowed.clear()
    tasks = [asyncio.create_task(predict(service)) for _ in range(3)]
    while service.active + service.reserved < 3:
        await asyncio.sleep(0.001)
    service.begin_shutdown()
    service.abandon_jobs()
    assert all(isinstance(each, ShuttingDown) for each in await asyncio.gather(*tasks))
    with pytest.raises(ShuttingDown):
        service.reserve(Deadline.after(60))
    await service.stop()
    assert service.stuck, "its thread is in the model still"
    engine.allowed.set()


@pytest.mark.anyio
async def test_stopping_does_not_wait_for_a_model_that_is_being_loaded() -> None:
    engine = SlowEngine()
    service = Service(
        EngineChoice("fake", "a test"), lambda: Screener(engine), Settings(_env_file=None)
    )
    await service.start()
    assert await asyncio.to_thread(engine.tasks.wait, 30)
    await service.stop()
    assert service.stuck
    engine.allowed.set()


async def predict(service: Service) -> Exception | None:
    try:
        await service.screen(service.reserve(Deadline.after(60)), known_tile())
    except Exception as error:  # which the test checks
        return error
    return None
